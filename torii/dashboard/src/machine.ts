// The machine's load, as azuki measures it.
import type { Machine, TimeSeries } from "@contracts/azuki/v1/monitoring_service_pb";
import { Metric } from "@contracts/azuki/v1/monitoring_service_pb";

import { isLoggedOut, explain, monitoring } from "./api";
import { byId, make, note } from "./dom";
import type { Content } from "./dom";
import { bytes, decimal, percent, span } from "./format";

const RETRY_MILLISECONDS = 2000;

/** Shows the machine until the signal ends it; azuki may come and go. */
export async function watchMachine(signal: AbortSignal, loggedOut: () => void): Promise<void> {
  const place = byId("machine");
  while (!signal.aborted) {
    try {
      const machine = await monitoring.getMachine({}, { signal });
      for await (const sample of monitoring.watchMeasurements({}, { signal })) {
        place.replaceChildren(list(machine, sample.series));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isLoggedOut(error)) return loggedOut();
      place.replaceChildren(note(explain(error), "bad"));
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
  }
}

function list(machine: Machine, series: TimeSeries[]): HTMLElement {
  const entries: [string, Content][] = [["processor", `${machine.processor}, on ${machine.host}`]];
  for (const one of series) {
    const value = one.points.at(-1)?.value;
    if (value !== undefined) entries.push([title(one), shown(one.metric, value, machine)]);
  }
  for (const metric of machine.metrics) {
    if (!metric.available) {
      const why = make("span", { class: "quiet" }, `not available, because ${metric.reason}`);
      entries.push([name(metric.metric), why]);
    }
  }
  const rows = entries.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]);
  return make("dl", {}, ...rows);
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
    case Metric.PROCESS_MEMORY:
      return bytes(value);
    case Metric.PROCESS_CPU_TIME:
      return span(value);
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
