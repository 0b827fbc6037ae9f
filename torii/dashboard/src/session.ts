// Who is logged in. Tokens live in this tab only, and end with it.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { TokenService } from "@contracts/misaki/v1/token_service_pb";
import type { TokenPair } from "@contracts/misaki/v1/token_service_pb";

const KEY = "hanami.session";
const RENEW_BEFORE_MILLISECONDS = 60_000;

interface Session {
  user: string;
  accessToken: string;
  accessEnds: number;
  refreshToken: string;
}

const open = createClient(TokenService, createGrpcWebTransport({ baseUrl: location.origin }));
let renewing: Promise<Session> | undefined;

export function user(): string | undefined {
  return stored()?.user;
}

export async function logIn(userId: string, password: string): Promise<void> {
  store(sessionOf(await open.login({ userId, password })));
}

export function logOut(): void {
  sessionStorage.removeItem(KEY);
}

/** Returns a token that holds for a while, renewing it when it is about to end. */
export async function accessToken(): Promise<string> {
  const session = stored();
  if (session === undefined) throw new ConnectError("log in first", Code.Unauthenticated);
  if (session.accessEnds - Date.now() > RENEW_BEFORE_MILLISECONDS) return session.accessToken;
  renewing ??= renew(session.refreshToken).finally(() => (renewing = undefined));
  return (await renewing).accessToken;
}

export const withToken: Interceptor = (next) => async (request) => {
  request.header.set("authorization", `Bearer ${await accessToken()}`);
  return next(request);
};

async function renew(refreshToken: string): Promise<Session> {
  const session = sessionOf(await open.refreshToken({ refreshToken }));
  // Whoever logged out meanwhile stays logged out.
  if (stored() !== undefined) store(session);
  return session;
}

function sessionOf(pair: TokenPair): Session {
  return {
    user: pair.user,
    accessToken: pair.accessToken,
    accessEnds: milliseconds(pair.accessExpireTime),
    refreshToken: pair.refreshToken,
  };
}

function milliseconds(moment: Timestamp | undefined): number {
  return moment === undefined ? 0 : timestampDate(moment).getTime();
}

function store(session: Session): void {
  sessionStorage.setItem(KEY, JSON.stringify(session));
}

function stored(): Session | undefined {
  const text = sessionStorage.getItem(KEY);
  return text === null ? undefined : (JSON.parse(text) as Session);
}
