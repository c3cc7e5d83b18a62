import type { AddRequest, Undo } from "../../plugin/types.ts";
import type { Result } from "../../spec/result.ts";
import { configureInside } from "../inside/configure.ts";
import { leaseFrom } from "../lease.ts";
import type { HostDeviceConfig } from "./config.ts";
import { findDevice } from "./device.ts";
import { lend } from "./lend.ts";

/** Gives a device of the host to the container. One that a program drives stays where it is; it may have addresses. */
export function add(request: AddRequest<HostDeviceConfig>, undo: Undo): Result {
  const device = findDevice(request.hostNetns, request.config);
  const link = device && undo.keep(lend(request, device)).link;
  return configureInside(request, link, request.ipam && leaseFrom(request, undo));
}
