import { errno } from "../host/errno.ts";
import { isErrno } from "../host/host.ts";
import { CniError, ErrorCode } from "../spec/errors.ts";
import { FlagError } from "./flags.ts";

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

/** For whoever typed the command: what is wrong, and a line on what to do where that is known. */
export function complaint(command: string, error: unknown): string[] {
  return [`${command}: ${errorLine(error)}`, ...advice(command, error)];
}

function advice(command: string, error: unknown): string[] {
  if (error instanceof FlagError) return [`See "${command} -help".`];
  if (error instanceof CniError && error.details) return [`  ${error.details}`];
  return isErrno(error, errno.EACCES, errno.EPERM) ? ["  Run it as root."] : [];
}

/** What is thrown for what is wrong outside has a class of its own. */
function isExpected(error: unknown): boolean {
  return error instanceof Error && !/^(Type|Range|Reference|Internal|)Error$/.test(error.name);
}
