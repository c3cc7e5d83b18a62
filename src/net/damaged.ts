import { CniError, ErrorCode } from "../spec/errors.ts";

/** The error of CHECK: something is not as ADD has left it. */
export function damaged(msg: string, details = "Run DEL, then ADD, to set it up again."): CniError {
  return new CniError(ErrorCode.Plugin, msg, details);
}
