import { CniError, ErrorCode } from "../spec/errors.ts";

/** As an answer to a plugin: what the system refused is no fault of ours. */
export function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const code = isExpected(error) ? ErrorCode.Plugin : ErrorCode.Internal;
  return new CniError(code, error instanceof Error ? error.message : String(error), "", { cause: error });
}

/** For the log: the message; of what nobody expected the stack too. */
export function errorLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return isExpected(error) ? error.message : `${error.name}: ${error.message} ${error.stack ?? ""}`;
}

/** What is thrown for what is wrong outside has a class of its own. */
function isExpected(error: unknown): boolean {
  return error instanceof Error && !/^(Type|Range|Reference|Internal|)Error$/.test(error.name);
}
