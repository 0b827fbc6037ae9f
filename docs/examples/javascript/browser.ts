// A network is created, learns and predicts: a browser, without anything between it and the mesh.
//
// It learns over grpc-web (connect-web), on a stream in two halves, and predicts over the
// websocket. `npm ci && npm run build -- --outfile=browser.js` makes the script of browser.html.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import {
  type LearnResponse,
  LearnMode,
  LearningService,
  LearnRequestSchema,
  LearnResponseSchema,
} from "../../../generated/typescript/hanami/kyouko/v1/learning_service_pb";
import { NetworkService } from "../../../generated/typescript/hanami/kyouko/v1/network_service_pb";
import { TokenService } from "../../../generated/typescript/hanami/misaki/v1/token_service_pb";
import { DataType, type Tensor } from "../../../generated/typescript/hanami/type/v1/tensor_pb";

const TAUGHT = 160;

interface Machine {
  inputs: number[][];
  labels: string[];
}

interface Prediction {
  predicted: (string | undefined)[];
  outputs: number[][];
}

/** Runs the whole example on the mesh at `url`; `csv` is machine.csv. */
export async function run(
  url: string,
  project: string,
  networkId: string,
  login: { userId: string; password: string },
  csv: string,
): Promise<Prediction> {
  const machine = read(csv);
  const anonymous = createGrpcWebTransport({ baseUrl: url });
  const { accessToken } = await createClient(TokenService, anonymous).login(login);
  const withToken: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${accessToken}`);
    return next(request);
  };
  const transport = createGrpcWebTransport({ baseUrl: url, interceptors: [withToken] });
  const network = `projects/${project}/networks/${networkId}`;
  await createClient(NetworkService, transport).createNetwork({
    parent: `projects/${project}`,
    networkId,
    source: { case: "template", value: "templates/flat" },
    channels: 4,
  });
  await learn(createClient(LearningService, transport), network, machine);
  return predict(url, network, accessToken, machine.inputs.slice(TAUGHT));
}

/** Teaches the first rows: answers come on one call, every frame goes by a call of its own. */
async function learn(
  learning: ReturnType<typeof createClient<typeof LearningService>>,
  network: string,
  { inputs, labels }: Machine,
): Promise<void> {
  let sending: Promise<unknown> = Promise.resolve();
  for await (const { message } of learning.openLearning({
    open: { network, mode: LearnMode.LEARN },
  })) {
    if (message.case === "opened") {
      sending = sendAll(message.value.streamId);
    } else if (message.case === "fault") {
      throw new Error(message.value.status?.message);
    }
  }
  await sending;

  function sendAll(streamId: string): Promise<unknown> {
    const calls: Promise<unknown>[] = [];
    let number = 0;
    for (let start = 0; start < TAUGHT; start += 16) {
      const frame = {
        sequence: BigInt(number + 1),
        inputs: tensor(inputs.slice(start, start + 16)),
        target: {
          case: "labels" as const,
          value: { values: labels.slice(start, start + 16) },
        },
      };
      calls.push(send({ message: { case: "frame", value: frame } }));
    }
    calls.push(send({ message: { case: "close", value: {} } }));
    return Promise.all(calls);

    // Calls may overtake one another; their numbers put them in order again.
    function send(message: Parameters<typeof learning.sendLearning>[0]["message"]) {
      number += 1;
      return learning.sendLearning({ streamId, number: BigInt(number), message });
    }
  }
}

/** Asks for the last rows over the websocket; the token is one of its sub-protocols. */
function predict(
  url: string,
  network: string,
  token: string,
  rows: number[][],
): Promise<Prediction> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/learn`, [
    "hanami.v1",
    `bearer.${token}`,
  ]);
  socket.binaryType = "arraybuffer";
  const send = (message: Parameters<typeof create<typeof LearnRequestSchema>>[1]): void =>
    socket.send(toBinary(LearnRequestSchema, create(LearnRequestSchema, message)));
  return new Promise((resolve, reject) => {
    let labels: string[] = [];
    socket.onopen = () => {
      const open = { network, mode: LearnMode.PREDICT, returnOutputs: true };
      send({ message: { case: "open", value: open } });
      send({ message: { case: "frame", value: { sequence: 1n, inputs: tensor(rows) } } });
    };
    socket.onclose = (event) => reject(new Error(`${event.code} ${event.reason}`));
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const { message }: LearnResponse = fromBinary(
        LearnResponseSchema,
        new Uint8Array(event.data),
      );
      if (message.case === "opened") {
        labels = message.value.network?.labels ?? [];
      } else if (message.case === "result") {
        const indices = [...numbers(message.value.predicted, Int32Array)];
        const flat = [...numbers(message.value.outputs, Float32Array)];
        const width = flat.length / rows.length;
        resolve({
          predicted: indices.map((index) => labels[index]),
          outputs: rows.map((_, row) => flat.slice(row * width, (row + 1) * width)),
        });
        socket.close();
      }
    };
  });
}

function tensor(rows: number[][]) {
  const packed = new Uint8Array(Float32Array.from(rows.flat()).buffer);
  return {
    dataType: DataType.FLOAT32,
    shape: [BigInt(rows.length), BigInt(rows[0]?.length ?? 0)],
    elements: { case: "packed" as const, value: packed },
  };
}

function numbers<T>(tensor: Tensor | undefined, ArrayType: new (bytes: ArrayBuffer) => T): T {
  const packed = tensor?.elements.case === "packed" ? tensor.elements.value : new Uint8Array();
  return new ArrayType(packed.slice().buffer);
}

function read(csv: string): Machine {
  const lines = csv.trim().split("\n").slice(1);
  return {
    inputs: lines.map((line) => line.split(",").slice(0, -1).map(Number)),
    labels: lines.map((line) => line.split(",").at(-1) ?? ""),
  };
}
