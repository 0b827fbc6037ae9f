// The services behind the gateway, spoken to in grpc-web.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { MonitoringService } from "@contracts/azuki/v1/monitoring_service_pb";
import { NetworkService } from "@contracts/kyouko/v1/network_service_pb";
import { TaskService } from "@contracts/kyouko/v1/task_service_pb";
import { ProjectService } from "@contracts/misaki/v1/project_service_pb";
import { MeshService } from "@contracts/torii/v1/mesh_service_pb";

import { withToken } from "./session";

const transport = createGrpcWebTransport({
  baseUrl: location.origin,
  interceptors: [withToken],
});

export const mesh = createClient(MeshService, transport);
export const monitoring = createClient(MonitoringService, transport);
export const projects = createClient(ProjectService, transport);
export const networks = createClient(NetworkService, transport);
export const tasks = createClient(TaskService, transport);

/** What to tell a person about an error. */
export function explain(error: unknown): string {
  const known = ConnectError.from(error);
  return known.rawMessage || Code[known.code];
}

export function isLoggedOut(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}
