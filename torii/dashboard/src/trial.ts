// Learning's own way through the gateway, tried from this page: a websocket.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import type { LearnRequest, LearnResponse, LearnResult } from "@contracts/kyouko/v1/learning_service_pb";
import {
  LearnMode,
  LearnRequestSchema,
  LearnResponseSchema,
} from "@contracts/kyouko/v1/learning_service_pb";
import type { Network } from "@contracts/kyouko/v1/network_service_pb";
import type { InputPopulation } from "@contracts/kyouko/v1/template_service_pb";
import { DataType } from "@contracts/type/v1/tensor_pb";

import { explain } from "./api";
import { byId, make } from "./dom";
import { span } from "./format";
import { accessToken } from "./session";

const PATIENCE_MILLISECONDS = 10_000;
let known: Network[] = [];

/** Fills the list of networks, and leaves it alone while nothing changes. */
export function offerNetworks(networks: Network[]): void {
  const list = byId<HTMLSelectElement>("try-network");
  const names = networks.map((network) => network.name);
  if (names.join() !== known.map((network) => network.name).join()) {
    const chosen = list.value;
    list.replaceChildren(...names.map((name) => make("option", {}, name)));
    if (names.includes(chosen)) list.value = chosen;
  }
  known = networks;
}

/** Lets the chosen network predict one row, and shows the answer or the error. */
export async function tryWebsocket(): Promise<void> {
  const place = byId("try-result");
  const chosen = byId<HTMLSelectElement>("try-network").value;
  const network = known.find((one) => one.name === chosen);
  if (network === undefined) {
    place.replaceChildren(make("span", { class: "bad" }, "There is no network to try."));
    return;
  }
  place.replaceChildren("Connecting…");
  try {
    place.replaceChildren(await predictOneRow(network));
  } catch (error) {
    place.replaceChildren(make("span", { class: "bad" }, explain(error)));
  }
}

async function predictOneRow(network: Network): Promise<string> {
  const started = performance.now();
  const socket = await openSocket(["hanami.v1", `bearer.${await accessToken()}`]);
  try {
    send(socket, { case: "open", value: { network: network.name, mode: LearnMode.PREDICT } });
    const opened = await answer(socket, "opened");
    send(socket, { case: "frame", value: { sequence: 1n, inputs: zeros(channelsOf(network)) } });
    const result = await answer(socket, "result");
    send(socket, { case: "close", value: {} });
    await answer(socket, "closed");
    const labels = opened.message.case === "opened" ? (opened.message.value.network?.labels ?? []) : [];
    const took = span((performance.now() - started) / 1000);
    return `Answered in ${took}: ${prediction(result, labels)}.`;
  } finally {
    socket.close(1000);
  }
}

function prediction(response: LearnResponse, labels: string[]): string {
  const result = response.message.value as LearnResult;
  const numbers = result.outputs ?? result.predicted;
  if (result.predicted !== undefined) {
    const index = view(result.predicted.elements.value).getInt32(0, true);
    const all = [...labels, ...result.newLabels];
    return index < 0 ? "it knows no label yet" : `it predicts the label ${all[index] ?? index}`;
  }
  if (numbers === undefined) return "it answered without numbers";
  return `it predicts ${view(numbers.elements.value).getFloat32(0, true)}`;
}

function view(packed: unknown): DataView {
  if (!(packed instanceof Uint8Array)) throw new ConnectError("the answer holds no packed numbers");
  return new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
}

const size = (input: InputPopulation): number =>
  input.channels ?? (input.extent ? input.extent.x * input.extent.y * input.extent.z : 1);

const channelsOf = (network: Network): number =>
  (network.structure?.inputs ?? []).reduce((sum, input) => sum + size(input), 0);

function zeros(channels: number) {
  return {
    dataType: DataType.UINT8,
    shape: [1n, BigInt(channels)],
    elements: { case: "packed" as const, value: new Uint8Array(channels) },
  };
}

function send(socket: WebSocket, message: unknown): void {
  const request = create(LearnRequestSchema, { message: message as LearnRequest["message"] });
  socket.send(toBinary(LearnRequestSchema, request));
}

function openSocket(subprotocols: string[]): Promise<WebSocket> {
  const url = new URL("/v1/learn", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url, subprotocols);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new ConnectError("the websocket could not be opened"));
  });
}

/** Waits for the next answer of a kind; a fault or the end of the websocket is an error. */
function answer(socket: WebSocket, kind: LearnResponse["message"]["case"]): Promise<LearnResponse> {
  return new Promise((resolve, reject) => {
    const fail = (text: string): void => reject(new ConnectError(text));
    const timer = setTimeout(() => fail("no answer came in time"), PATIENCE_MILLISECONDS);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const { message } = fromBinary(LearnResponseSchema, new Uint8Array(event.data));
      if (message.case === kind) settle(() => resolve({ message } as LearnResponse));
      else if (message.case === "fault") {
        const words = message.value.status?.message ?? "the frame was refused";
        settle(() => fail(words));
      }
    };
    socket.onclose = (event) => settle(() => fail(`the websocket ended: ${event.reason || event.code}`));
  });
}
