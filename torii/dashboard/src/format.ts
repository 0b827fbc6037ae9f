// Numbers as people read them.
import type { Duration } from "@bufbuild/protobuf/wkt";

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export const count = (value: bigint | number): string => whole.format(value);

export const decimal = (value: number): string => short.format(value);

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export function bytes(value: bigint | number): string {
  let amount = Number(value);
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount.toFixed(unit === 0 ? 0 : 1)} ${UNITS[unit]}`;
}

export const inSeconds = (duration: Duration): number =>
  Number(duration.seconds) + duration.nanos / 1e9;

export function span(seconds: number): string {
  if (seconds > 0 && seconds < 5e-5) return "< 0.1 ms";
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
  if (seconds < 100) return `${seconds.toFixed(0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}
