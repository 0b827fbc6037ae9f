// The machine's load, as azuki measures it.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Machine, Point, TimeSeries } from "@contracts/azuki/v1/monitoring_service_pb";
import { Metric } from "@contracts/azuki/v1/monitoring_service_pb";

import { isLoggedOut, explain, monitoring } from "./api";
import { byId, make, note, table } from "./dom";
import type { Content } from "./dom";
import { bytes, decimal, percent, span } from "./format";

const RETRY_MILLISECONDS = 2000;

/** The last CPU time of each service. */
type Readings = Map<string, Point>;

/** Shows the machine until the signal ends it; azuki may come and go. */
export async function watchMachine(signal: AbortSignal, loggedOut: () => void): Promise<void> {
  const place = byId("machine");
  const before: Readings = new Map();
  while (!signal.aborted) {
    try {
      const machine = await monitoring.getMachine({}, { signal });
      for await (const sample of monitoring.watchMeasurements({}, { signal })) {
        place.replaceChildren(...view(machine, sample.series, before));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isLoggedOut(error)) return loggedOut();
      place.replaceChildren(note(explain(error), "bad"));
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
  }
}

function view(machine: Machine, series: TimeSeries[], before: Readings): Content[] {
  const entries: [string, Content][] = [["processor", `${machine.processor}, on ${machine.host}`]];
  for (const one of series) {
    const value = latest(one)?.value;
    if (value !== undefined && !isOfService(one)) {
      entries.push([title(one), shown(one.metric, value, machine)]);
    }
  }
  for (const metric of machine.metrics) {
    if (!metric.available) {
      const why = make("span", { class: "quiet" }, `not available, because ${metric.reason}`);
      entries.push([name(metric.metric), why]);
    }
  }
  const rows = entries.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]);
  return [make("dl", {}, ...rows), services(series, before)];
}

const latest = (series: TimeSeries): Point | undefined => series.points.at(-1);

const isOfService = (series: TimeSeries): boolean =>
  series.metric === Metric.PROCESS_CPU_TIME || series.metric === Metric.PROCESS_MEMORY;

function services(series: TimeSeries[], before: Readings): HTMLElement {
  const columns = [
    { title: "Service" },
    ...["Cores busy", "CPU time", "Memory"].map((title) => ({ title, isNumber: true })),
  ];
  const rows = series
    .filter((one) => one.metric === Metric.PROCESS_CPU_TIME)
    .map((one) => [
      one.subject,
      coresBusy(one, before),
      span(latest(one)?.value ?? 0),
      bytes(valueOf(series, Metric.PROCESS_MEMORY, one.subject)),
    ]);
  return table("Services' use of the machine", columns, rows);
}

function valueOf(series: TimeSeries[], metric: Metric, subject: string): number {
  const found = series.find((one) => one.metric === metric && one.subject === subject);
  return (found && latest(found)?.value) ?? 0;
}

/** CPU time used since the last sample, by the time that has passed. */
function coresBusy(series: TimeSeries, before: Readings): string {
  const now = latest(series);
  const then = before.get(series.subject);
  if (now !== undefined) before.set(series.subject, now);
  if (now?.time === undefined || then?.time === undefined) return "";
  const passed = timestampMs(now.time) - timestampMs(then.time);
  return passed > 0 ? ((1000 * (now.value - then.value)) / passed).toFixed(2) : "";
}

const name = (metric: Metric): string => Metric[metric].toLowerCase().replaceAll("_", " ");

function title(series: TimeSeries): string {
  return series.subject === "machine"
    ? name(series.metric)
    : `${name(series.metric)}, ${series.subject}`;
}

function shown(metric: Metric, value: number, machine: Machine): Content {
  switch (metric) {
    case Metric.CPU_LOAD:
      return make("span", {}, bar(value, 1), ` ${percent(value)}`);
    case Metric.MEMORY_USED: {
      const total = Number(machine.memoryBytes);
      return make("span", {}, bar(value, total), ` ${bytes(value)} of ${bytes(total)}`);
    }
    case Metric.CPU_FREQUENCY:
      return `${decimal(value / 1e9)} GHz`;
    case Metric.TEMPERATURE:
      return `${decimal(value)} °C`;
    default:
      return decimal(value);
  }
}

function bar(value: number, most: number): HTMLElement {
  return make("meter", { min: "0", max: String(most), value: String(value), "aria-hidden": "true" });
}
