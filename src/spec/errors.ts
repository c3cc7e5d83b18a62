/** Error codes of the CNI specification 1.1.0, section "Error", and the two that the reference adds (*). */
export const ErrorCode = {
  IncompatibleVersion: 1,
  UnsupportedField: 2,
  UnknownContainer: 3,
  InvalidEnvironment: 4,
  Io: 5,
  Decoding: 6,
  InvalidConfig: 7,
  /** (*) The namespace cannot be used. */
  InvalidNetns: 8,
  TryAgainLater: 11,
  /** STATUS: not ready for ADD. */
  NotAvailable: 50,
  /** STATUS: not ready, and existing containers may be limited. */
  LimitedConnectivity: 51,
  /** 100 and above belong to plugins. Ours: the kernel or a program refused something. */
  Plugin: 100,
  /** (*) Everything unexpected. */
  Internal: 999,
} as const;

/** A failure as CNI reports it. `msg` is short and names what is wrong; `details` says more and what to do. */
export class CniError extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, msg: string, details = "", options?: ErrorOptions) {
    super(msg, options);
    this.name = "CniError";
    this.code = code;
    this.details = details;
  }
}

/** What goes to stdout when a call fails. */
export interface ErrorObject {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** Any thrown value as an error object; what is not a CniError has code 999. */
export function errorObject(error: unknown, cniVersion: string): ErrorObject {
  const code = error instanceof CniError ? error.code : ErrorCode.Internal;
  const msg = error instanceof Error ? error.message : String(error);
  const details = error instanceof CniError ? error.details : "";
  return { cniVersion, code, msg, ...(details !== "" && { details }) };
}
