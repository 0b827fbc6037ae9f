// What the mesh does now: services, tasks and networks, asked for again and again.
import type { Network } from "@contracts/kyouko/v1/network_service_pb";
import type { Task } from "@contracts/kyouko/v1/task_service_pb";
import { TaskKind, TaskState } from "@contracts/kyouko/v1/task_service_pb";
import type { MeshStatus } from "@contracts/torii/v1/mesh_service_pb";
import { Health } from "@contracts/torii/v1/mesh_service_pb";

import { explain, isLoggedOut, mesh, networks, projects, tasks } from "./api";
import { byId, make, note, table } from "./dom";
import type { Content } from "./dom";
import { bytes, count, decimal, inSeconds, percent, span } from "./format";
import { offerNetworks } from "./trial";

const REFRESH_MILLISECONDS = 2000;
const PAGE_SIZE = 100;
const RECENT_TASKS = 5;

/** Refreshes the sections until the signal ends it. */
export async function watchMesh(signal: AbortSignal, loggedOut: () => void): Promise<void> {
  while (!signal.aborted) {
    if (!document.hidden) {
      const found = await Promise.all([show("mesh", showMesh), showProjects()]);
      if (signal.aborted) return;
      if (found.some(isLoggedOut)) return loggedOut();
    }
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MILLISECONDS));
  }
}

/** Fills a section; its trouble is shown in its place and returned. */
async function show(id: string, content: () => Promise<Content[]>): Promise<unknown> {
  try {
    byId(id).replaceChildren(...(await content()));
    return undefined;
  } catch (error) {
    byId(id).replaceChildren(note(explain(error), "bad"));
    return error;
  }
}

async function showMesh(): Promise<Content[]> {
  const status: MeshStatus = await mesh.getMeshStatus({});
  const rows = status.services.map((service) => [
    service.service,
    health(service.health),
    service.latency === undefined ? "" : span(inSeconds(service.latency)),
  ]);
  const columns = [{ title: "Service" }, { title: "Health" }, { title: "Answers in", isNumber: true }];
  return [table("Services", columns, rows), note(`Hanami ${status.version}`)];
}

function health(value: Health): Content {
  const words = Health[value].toLowerCase().replaceAll("_", " ");
  const isGood = value === Health.SERVING;
  return make("span", { class: isGood ? "good" : "bad" }, `${isGood ? "●" : "▲"} ${words}`);
}

async function showProjects(): Promise<unknown> {
  let names: string[];
  try {
    names = (await projects.listProjects({ pageSize: PAGE_SIZE })).projects.map((p) => p.name);
  } catch (error) {
    for (const id of ["networks", "tasks"]) byId(id).replaceChildren(note(explain(error), "bad"));
    return error;
  }
  const troubles = await Promise.all([
    show("networks", () => showNetworks(names)),
    show("tasks", () => showTasks(names)),
  ]);
  return troubles.find((trouble) => trouble !== undefined);
}

async function showNetworks(names: string[]): Promise<Content[]> {
  const pages = await Promise.all(
    names.map((parent) => networks.listNetworks({ parent, pageSize: PAGE_SIZE })),
  );
  const all = pages.flatMap((page) => page.networks);
  offerNetworks(all);
  const where = note(`Projects: ${names.map((name) => name.replace("projects/", "")).join(", ") || "none"}`);
  if (all.length === 0) return [note("No networks yet."), where];
  const columns = [
    { title: "Network" },
    ...["Rows learned", "Neurons", "Connections", "Outputs", "Running loss", "Memory"].map(
      (title) => ({ title, isNumber: true }),
    ),
  ];
  return [table("Networks", columns, all.map(networkCells)), where];
}

function networkCells(network: Network): Content[] {
  const s = network.statistics;
  if (s === undefined) return [network.name];
  return [
    network.name.replace(/^projects\//, "").replace("/networks/", " / "),
    count(s.learnedRows),
    count(s.neurons),
    count(s.connections),
    count(s.outputs),
    s.learnedRows > 0n ? decimal(s.runningLoss) : "",
    bytes(s.memoryBytes),
  ];
}

async function showTasks(names: string[]): Promise<Content[]> {
  const pages = await Promise.all(
    names.map((name) => tasks.listTasks({ parent: `${name}/networks/-`, pageSize: PAGE_SIZE })),
  );
  const all = pages.flatMap((page) => page.tasks).sort((a, b) => created(b) - created(a));
  const isOpen = (task: Task): boolean =>
    task.state === TaskState.RUNNING || task.state === TaskState.PENDING;
  const shown = [...all.filter(isOpen), ...all.filter((task) => !isOpen(task)).slice(0, RECENT_TASKS)];
  if (shown.length === 0) return [note("No tasks yet.")];
  const columns = [
    { title: "Task" },
    { title: "State" },
    { title: "Progress" },
    ...["Rows/s", "Accuracy", "Remaining"].map((title) => ({ title, isNumber: true })),
  ];
  return [table("Tasks", columns, shown.map(taskCells))];
}

const created = (task: Task): number => Number(task.createTime?.seconds ?? 0n);

function taskCells(task: Task): Content[] {
  const progress = task.progress;
  const parts = task.name.split("/");
  const verb = TaskKind[task.kind].toLowerCase();
  return [
    `${parts[1]} / ${parts[3]}: ${verb}, ${parts[5]}`,
    task.error === undefined ? TaskState[task.state].toLowerCase() : failure(task.error.message),
    progress === undefined ? "" : bar(progress.doneRows, progress.totalRows),
    progress === undefined ? "" : count(Math.round(progress.rowsPerSecond)),
    progress?.accuracy === undefined ? "" : percent(progress.accuracy),
    progress?.remaining === undefined ? "" : span(inSeconds(progress.remaining)),
  ];
}

const failure = (message: string): Content => make("span", { class: "bad" }, `failed: ${message}`);

function bar(done: bigint, total: bigint): Content {
  const words = `${count(done)} of ${count(total)} rows`;
  const element = make("progress", { max: String(total || 1n), value: String(done), "aria-label": words });
  return make("span", {}, element, ` ${words}`);
}
