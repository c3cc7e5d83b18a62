import type { Figure, Side, Target } from "./figure.ts";
import type { Summary } from "./statistics.ts";

export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly ours: string;
  readonly reference: string;
}

const HEAD = ["", "ours", "reference", "faster", "floor", "over floor", "target"];

/** The figures for people: one line each, medians with the smallest and largest sample. */
export function table(machine: Machine, figures: readonly Figure[]): string {
  const rows = [HEAD, ...figures.map(row)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => pad(cell, widths[column]!, column))
      .join("  ")
      .trimEnd(),
  );
  const notes = figures.flatMap(({ name, missing }) =>
    Object.entries(missing).map(([side, reason]) => `${name}: ${side} not measured: ${reason}`),
  );
  return [
    `Linux ${machine.kernel}, ${machine.cpus} × ${machine.cpu}`,
    `ours ${machine.ours}, reference ${machine.reference}`,
    "",
    ...lines,
    ...(notes.length > 0 ? ["", ...notes] : []),
    "",
  ].join("\n");
}

/** The figures for machines. */
export function json(machine: Machine, figures: readonly Figure[]): string {
  return `${JSON.stringify({ machine, figures }, null, 2)}\n`;
}

function row(figure: Figure): string[] {
  const cell = (side: Side) => (figure.sides[side] ? measured(figure.sides[side], figure.unit) : "-");
  return [
    figure.name,
    cell("ours"),
    cell("reference"),
    times(figure.timesFaster),
    cell("floor"),
    times(figure.overFloor),
    figure.targets.map(verdict).join(", "),
  ];
}

function measured({ median, min, max, count }: Summary, unit: string): string {
  const value = `${number(median)} ${unit}`;
  return count === 1 ? value : `${value} (${number(min)}–${number(max)})`;
}

function verdict({ promise, value, met }: Target): string {
  return `${promise}: ${met ? "met" : "MISSED"} (${number(value)})`;
}

function times(ratio: number | undefined): string {
  return ratio === undefined ? "" : `${number(ratio)}×`;
}

/** Three digits tell as much as the measurement knows. */
function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(value >= 1 ? 3 : 2);
}

/** Words to the left, numbers to the right. */
function pad(cell: string, width: number, column: number): string {
  return column === 0 || column === HEAD.length - 1 ? cell.padEnd(width) : cell.padStart(width);
}
