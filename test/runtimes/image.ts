// An image made here, for no registry is asked: busybox, and a web page.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Its name, as runtimes want one: with a registry's host and a tag. */
export const IMAGE = "localhost/box:1";

/** What the web server on port 80 answers, the image's command. */
export const PAGE = "a page from the container";

/** The page that tells the container's host name. */
export const HOSTNAME_PAGE = "/cgi-bin/hostname";

/** Writes the image as a docker archive (manifest.json, a configuration, a layer), which every runtime loads. */
export function writeImage(archive: string): void {
  const folder = mkdtempSync(join(tmpdir(), "plumb-image-"));
  try {
    const [layer, files] = [join(folder, "layer.tar"), join(folder, "files")];
    writeFiles(files);
    tar(layer, files, ".");
    const config = JSON.stringify({
      architecture: { x64: "amd64" }[process.arch as string] ?? process.arch,
      os: "linux",
      config: { Cmd: ["/bin/httpd", "-f", "-p", "80", "-h", "/www"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(readFileSync(layer))}`] },
      history: [{ created_by: "a test" }],
    });
    const configFile = `${sha256(config)}.json`;
    writeFileSync(join(folder, configFile), config);
    const manifest = [{ Config: configFile, RepoTags: [IMAGE], Layers: ["layer.tar"] }];
    writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
    tar(archive, folder, "manifest.json", configFile, "layer.tar");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeFiles(root: string): void {
  for (const folder of ["bin", "etc", "proc", "sys", "dev", "tmp", "www/cgi-bin"])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync("/usr/bin/busybox", join(root, "bin/busybox"));
  for (const applet of execFileSync("/usr/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n"))
    if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
  writeFileSync(join(root, "www/index.html"), PAGE);
  const hostname = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nhostname\n";
  writeFileSync(join(root, "www/cgi-bin/hostname"), hostname, { mode: 0o755 });
}

function tar(archive: string, folder: string, ...names: string[]): void {
  execFileSync("tar", [
    "--create",
    "--numeric-owner",
    "--owner=0",
    "--group=0",
    "--file",
    archive,
    "--directory",
    folder,
    ...names,
  ]);
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
