import type { StatusRequest } from "../../plugin/types.ts";
import { CniError, ErrorCode } from "../../spec/errors.ts";
import { askDaemon } from "./ask.ts";
import type { DhcpConfig } from "./config.ts";
import { wishOf } from "./wish.ts";

const UNREACHABLE: readonly number[] = [ErrorCode.TryAgainLater, ErrorCode.Io];

/** Throws if the configuration is wrong, or if there is no daemon: code 50. */
export function status(request: StatusRequest<DhcpConfig>): void {
  wishOf(request, new Map());
  try {
    askDaemon(request, { command: "STATUS" });
  } catch (error) {
    // Whoever does not answer cannot serve an ADD.
    if (!(error instanceof CniError) || !UNREACHABLE.includes(error.code)) throw error;
    throw new CniError(ErrorCode.NotAvailable, error.message, error.details, { cause: error });
  }
}
