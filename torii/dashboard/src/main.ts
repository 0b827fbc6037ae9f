// Starts the page: the login form, and behind it the overview.
import { explain } from "./api";
import { byId } from "./dom";
import { watchMachine } from "./machine";
import { watchMesh } from "./overview";
import { logIn, logOut, user } from "./session";
import { tryWebsocket } from "./trial";

const login = byId<HTMLFormElement>("login");
const notice = byId("notice");
const trial = byId<HTMLFormElement>("try");
let watching: AbortController | undefined;

function tell(text: string): void {
  notice.textContent = text;
  notice.hidden = text === "";
}

function showLogin(text = ""): void {
  watching?.abort();
  watching = undefined;
  logOut();
  for (const id of ["overview", "who", "log-out"]) byId(id).hidden = true;
  login.hidden = false;
  tell(text);
  byId("user").focus();
}

function showOverview(name: string): void {
  tell("");
  login.hidden = true;
  for (const id of ["overview", "who", "log-out"]) byId(id).hidden = false;
  byId("who").textContent = name.replace("users/", "");
  watching = new AbortController();
  const loggedOut = (): void => showLogin("Your session has ended. Log in again.");
  void watchMesh(watching.signal, loggedOut);
  void watchMachine(watching.signal, loggedOut);
}

/** Runs what a form asks for, once at a time. */
function onSubmit(form: HTMLFormElement, work: () => Promise<void>): void {
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button?.disabled) return;
    button?.toggleAttribute("disabled", true);
    await work().finally(() => button?.toggleAttribute("disabled", false));
  });
}

onSubmit(login, async () => {
  const fields = new FormData(login);
  try {
    await logIn(String(fields.get("user")), String(fields.get("password")));
  } catch (error) {
    tell(explain(error));
    return;
  }
  login.reset();
  showOverview(user() ?? "");
});
onSubmit(trial, tryWebsocket);
byId("log-out").addEventListener("click", () => showLogin());

const known = user();
if (known === undefined) showLogin();
else showOverview(known);
