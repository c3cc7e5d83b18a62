#!/usr/bin/env node
// Builds dist/plumb (static, with musl), dist/host.node (the system calls for Node) and dist/node (the library for Node).
//
//   node native/build.mjs [--debug] [--entry FILE.ts --out PROGRAM]
//
// --debug  builds dist/debug/plumb alone, with glibc and the address and undefined-behaviour sanitizers.
// --entry  builds PROGRAM alone, which starts with FILE.ts instead of src/main.ts: test programs are made so.
//
// What is newer than its sources is kept: a full build takes half a minute, one after a change a second.
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import blankSpace from "ts-blank-space";

const root = resolve(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
const { values: options } = parseArgs({
  options: { debug: { type: "boolean", default: false }, entry: { type: "string" }, out: { type: "string" } },
});

// The engine's source comes unmodified in a package; what is built is what was reviewed.
const ENGINE_FILES = ["quickjs.c", "libregexp.c", "libunicode.c", "dtoa.c"];
const ENGINE_SHA256 = "3991ec577eee27179c6ba7db0cfbec99384a9ea1c5f1e68cedba5b40f17619b3";
const engineDir =
  process.env.QUICKJS_DIR ?? join(dirname(require.resolve("@scriptc/runtime/package.json")), "vendor/quickjs-ng");

const toolchain = options.debug
  ? { cc: "gcc", flags: ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"], link: [] }
  : {
      cc: "musl-gcc",
      // musl-gcc hides the system's headers: the kernel's are wanted, behind musl's own.
      flags: ["-O2", "-DNDEBUG", "-idirafter", "/usr/include", "-idirafter", `/usr/include/${machine()}`],
      link: ["-static", "-s"],
    };
const work = join(root, "dist/build", options.debug ? "debug" : "release");
const common = ["-std=gnu11", "-funsigned-char", "-ffunction-sections", "-fdata-sections", "-D_GNU_SOURCE", `-I${engineDir}`];
const ours = ["-Wall", "-Wextra", "-Werror"];

const run = promisify(execFile);

/** The multiarch name of Debian's header folder. */
function machine() {
  return `${{ x64: "x86_64", arm64: "aarch64" }[process.arch] ?? process.arch}-linux-gnu`;
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/** Makes `output` by `make` if it is older than one of `inputs` or than this script. */
async function when(output, inputs, make) {
  const made = modified(output);
  if (made > Math.max(...[...inputs, import.meta.filename].map(modified))) return;
  mkdirSync(dirname(output), { recursive: true });
  await make();
}

function files(folder, wanted) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter(wanted)
    .map((name) => join(root, folder, name))
    .sort();
}

const native = (name) => join(root, "native", name);
const object = (name) => join(work, `${name}.o`);

async function compileC(source, output, flags, headers = []) {
  await when(output, [source, ...headers], () =>
    run(toolchain.cc, [...common, ...toolchain.flags, ...flags, "-c", source, "-o", output]),
  );
}

function checkEngine() {
  if (process.env.QUICKJS_DIR) return;
  const hash = createHash("sha256");
  for (const name of readdirSync(engineDir).filter((name) => /\.[ch]$/.test(name)).sort())
    hash.update(`${name}\0`).update(readFileSync(join(engineDir, name)));
  const found = hash.digest("hex");
  if (found !== ENGINE_SHA256) throw new Error(`the engine's source in ${engineDir} has hash ${found}, expected ${ENGINE_SHA256}`);
}

async function buildEngine() {
  checkEngine();
  const headers = [native("sys.h")];
  await Promise.all([
    ...ENGINE_FILES.map((name) => compileC(join(engineDir, name), object(name), ["-w"])),
    compileC(native("sys.c"), object("sys.c"), ours, headers),
    compileC(native("arena.c"), object("arena.c"), ours, [native("arena.h")]),
    compileC(native("compile.c"), object("compile.c"), ours),
  ]);
  await when(join(work, "compile"), [object("compile.c"), ...ENGINE_FILES.map(object)], () =>
    link(join(work, "compile"), [object("compile.c"), ...ENGINE_FILES.map(object)]),
  );
}

function link(output, objects) {
  return run(toolchain.cc, [...toolchain.flags, ...objects, ...toolchain.link, "-Wl,--gc-sections", "-lm", "-lpthread", "-o", output]);
}

/** The modules below src/ that ship: no tests, nothing that only Node knows. */
const shipped = (name) => name.endsWith(".ts") && !/\.(test|node|d)\.ts$/.test(name);

/** Types become spaces, so that lines and columns stay those of the TypeScript. */
async function stripTypes(source, output) {
  await when(output, [source], () => {
    const text = blankSpace(readFileSync(source, "utf8"), (node) => {
      throw new Error(`${source}: '${node.getText()}' has no meaning without its type`);
    });
    writeFileSync(output, text);
  });
}

async function buildProgram(output, extra = []) {
  const stripped = join(work, "js");
  const sources = [...files("src", shipped), ...extra];
  const names = sources.map((path) => (path.startsWith(join(root, "src/")) ? path.slice(root.length + 5) : path.slice(root.length + 1)));
  const entry = extra[0] ? names.at(-1) : "main.ts";
  for (const [index, source] of sources.entries()) await stripTypes(source, join(stripped, names[index]));
  const suffix = extra[0] ? `.${names.at(-1).replaceAll("/", "-")}` : "";
  const assembly = join(work, `modules${suffix}.S`);
  // The list of names is an input too: a file that went must leave the executable.
  const list = join(work, `modules${suffix}.txt`);
  if (!existsSync(list) || readFileSync(list, "utf8") !== names.join("\n")) writeFileSync(list, names.join("\n"));
  await when(assembly, [list, join(work, "compile"), ...names.map((name) => join(stripped, name))], () =>
    run(join(work, "compile"), [assembly, stripped, ...names], { env: { ...process.env, ASAN_OPTIONS: "detect_leaks=0" } }),
  );
  const host = object(`engine${suffix}.c`);
  await Promise.all([
    compileC(native("engine.c"), host, [...ours, `-DENTRY="${entry}"`], [native("sys.h"), native("modules.h"), native("arena.h")]),
    when(object(`modules${suffix}`), [assembly], () => run(toolchain.cc, ["-c", assembly, "-o", object(`modules${suffix}`)])),
  ]);
  const objects = [host, object(`modules${suffix}`), object("sys.c"), object("arena.c"), ...ENGINE_FILES.map(object)];
  await when(output, objects, () => link(output, objects));
}

async function buildAddon() {
  const sources = [native("sys.c"), native("node.c")];
  const headers = require("node-api-headers").include_dir;
  await when(join(root, "dist/host.node"), [...sources, native("sys.h")], () =>
    run("gcc", ["-O2", "-D_GNU_SOURCE", ...ours, `-I${headers}`, "-shared", "-fPIC", ...sources, "-o", join(root, "dist/host.node")]),
  );
}

async function buildLibrary() {
  await when(join(root, "dist/node/runtime/index.js"), files("src", shipped), () =>
    execFileSync(process.execPath, [require.resolve("typescript/bin/tsc"), "-p", join(root, "tsconfig.node.json")], { stdio: "inherit" }),
  );
}

mkdirSync(work, { recursive: true });
await buildEngine();
if (options.entry) await buildProgram(resolve(options.out), [resolve(options.entry)]);
else if (options.debug) await buildProgram(join(root, "dist/debug/plumb"));
else {
  await buildProgram(join(root, "dist/plumb"));
  await buildAddon();
  await buildLibrary();
}
