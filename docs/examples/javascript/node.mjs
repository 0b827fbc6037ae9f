// A network is created, learns and predicts: Node with @grpc/grpc-js.
//
//     cd docs/examples/javascript && npm ci && node node.mjs NETWORK
//
// Where and who: HANAMI_URL, HANAMI_USER, HANAMI_PASSWORD, HANAMI_PROJECT.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const TAUGHT = 160;
const { HANAMI_URL, HANAMI_USER, HANAMI_PASSWORD, HANAMI_PROJECT } = process.env;
const file = (path) => new URL(path, import.meta.url);

// The contracts in one file; the .proto files under protos/ would do as well.
const contracts = grpc.loadPackageDefinition(
  loader.loadFileDescriptorSetFromBuffer(
    readFileSync(file("../../../generated/descriptors.binpb")),
    { keepCase: true, longs: Number, enums: String, arrays: true },
  ),
).hanami;

const client = (Service) =>
  new Service(new URL(HANAMI_URL).host, grpc.credentials.createInsecure());

const unary = (service, method, request, metadata = new grpc.Metadata()) =>
  new Promise((resolve, reject) =>
    service[method](request, metadata, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

// Rows of numbers as bytes: float32, little-endian.
const tensor = (rows) => ({
  data_type: "DATA_TYPE_FLOAT32",
  shape: [rows.length, rows[0].length],
  packed: Buffer.from(Float32Array.from(rows.flat()).buffer),
});

const numbers = (tensor, ArrayType) =>
  [...new ArrayType(Uint8Array.from(tensor.packed).buffer)];

// Sends frames, leaving no more rows unanswered than the server allows; returns the results.
async function exchange(learning, metadata, open, frames) {
  const stream = learning.Learn(metadata);
  const results = [];
  let network, window = 0, failure;
  stream.on("error", (error) => (failure = error));
  stream.on("data", (answer) => {
    if (answer.opened) {
      network = answer.opened.network;
      window = answer.opened.max_outstanding_rows;
    } else if (answer.result) {
      network.labels.push(...answer.result.new_labels);
      results.push(answer.result);
      window += frames[results.length - 1].inputs.shape[0];
    } else if (answer.fault) {
      stream.destroy(new Error(answer.fault.status.message));
    }
  });
  const ended = once(stream, "end");
  stream.write({ open });
  for (const [index, frame] of frames.entries()) {
    while (window < frame.inputs.shape[0]) await once(stream, "data");
    window -= frame.inputs.shape[0];
    stream.write({ frame: { sequence: index + 1, ...frame } });
  }
  stream.write({ close: {} });
  await ended;
  if (failure) throw failure;
  return { results, labels: network.labels };
}

const lines = readFileSync(file("../machine.csv"), "utf8").trim().split("\n").slice(1);
const inputs = lines.map((line) => line.split(",").slice(0, -1).map(Number));
const labels = lines.map((line) => line.split(",").at(-1));

const { access_token } = await unary(client(contracts.misaki.v1.TokenService), "Login", {
  user_id: HANAMI_USER,
  password: HANAMI_PASSWORD,
});
const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${access_token}`);

const network = `projects/${HANAMI_PROJECT}/networks/${process.argv[2]}`;
await unary(
  client(contracts.kyouko.v1.NetworkService),
  "CreateNetwork",
  {
    parent: `projects/${HANAMI_PROJECT}`,
    network_id: process.argv[2],
    template: "templates/flat",
    channels: 4,
  },
  metadata,
);

const learning = client(contracts.kyouko.v1.LearningService);
const frames = [];
for (let start = 0; start < TAUGHT; start += 16) {
  const rows = [start, start + 16];
  frames.push({ inputs: tensor(inputs.slice(...rows)), labels: { values: labels.slice(...rows) } });
}
const taught = await exchange(learning, metadata, { network, mode: "LEARN_MODE_LEARN" }, frames);
const right = taught.results.reduce((sum, result) => sum + result.correct_rows, 0);
console.log(`${right} of ${TAUGHT} were right before they were learned`);

const asked = await exchange(
  learning,
  metadata,
  { network, mode: "LEARN_MODE_PREDICT", return_outputs: true },
  [{ inputs: tensor(inputs.slice(TAUGHT)) }],
);
const [result] = asked.results;
const width = result.outputs.shape[1];
const flat = numbers(result.outputs, Float32Array);
console.log(
  JSON.stringify({
    predicted: numbers(result.predicted, Int32Array).map((index) => asked.labels[index]),
    outputs: Array.from({ length: flat.length / width }, (_, row) =>
      flat.slice(row * width, (row + 1) * width),
    ),
  }),
);
