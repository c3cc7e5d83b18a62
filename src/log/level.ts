/** From what must be seen to what only somebody who searches wants to see. */
export const LEVELS = ["error", "warn", "info", "debug"] as const;

export type Level = (typeof LEVELS)[number];

/** Words of other plugins' configurations for one of ours. */
const LIKEWISE: Readonly<Record<string, Level>> = { panic: "error", warning: "warn", verbose: "info" };

/** In any case; undefined for what is no level. */
export function parseLevel(text: string): Level | undefined {
  const word = text.toLowerCase();
  return (
    LEVELS.find((level) => level === word) ?? (Object.hasOwn(LIKEWISE, word) ? LIKEWISE[word] : undefined)
  );
}

/** Whether a log that goes down to `least` has lines of `level`. */
export function isWithin(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(least);
}

/** Of a call that succeeded. Some runtimes ask VERSION before all they do, and STATUS every few seconds. */
export function levelOfSuccess(command: string): Level {
  return command === "VERSION" || command === "STATUS" ? "debug" : "info";
}
