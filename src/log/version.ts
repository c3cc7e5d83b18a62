/** As in package.json. */
export const PLUMB_VERSION = "0.1.0";
