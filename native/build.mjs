#!/usr/bin/env node
// Builds dist/plumb (static, with musl), dist/host.node (the system calls for Node) and dist/node (the library for Node).
//
//   node native/build.mjs [--debug] [--entry FILE.ts --out PROGRAM]
//
// --debug  builds dist/debug/plumb alone, with glibc and the address and undefined-behaviour sanitizers.
// --entry  builds PROGRAM alone, which starts with FILE.ts instead of src/main.ts: test programs are made so.
//          Its modules are named by their paths below the repository's root.
//
// What is newer than its sources is kept: a full build takes half a minute, one after a change a second.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import blankSpace from "ts-blank-space";
import { pack } from "./pack.mjs";

const root = resolve(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
const { values: options } = parseArgs({
  options: { debug: { type: "boolean", default: false }, entry: { type: "string" }, out: { type: "string" } },
});

// The engine's source comes unmodified in a package; what is built is what was reviewed.
const ENGINE_FILES = ["quickjs.c", "libregexp.c", "libunicode.c", "dtoa.c"];
const ENGINE_SHA256 = "3991ec577eee27179c6ba7db0cfbec99384a9ea1c5f1e68cedba5b40f17619b3";
const engineDir =
  process.env.QUICKJS_DIR ??
  join(dirname(require.resolve("@scriptc/runtime/package.json")), "vendor/quickjs-ng");

const toolchain = options.debug
  ? {
      cc: "gcc",
      flags: ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
      engine: [],
      interpreter: [],
      link: [],
    }
  : {
      cc: "musl-gcc",
      // musl-gcc hides the system's headers: the kernel's are wanted, behind musl's own.
      flags: ["-O2", "-DNDEBUG", "-idirafter", "/usr/include", "-idirafter", `/usr/include/${machine()}`],
      // Nothing unwinds, so tables for it go. The interpreter is worth some room, its compiler and the rest are not.
      engine: ["-Os", "-fno-asynchronous-unwind-tables"],
      interpreter: [
        "-O2",
        "-fno-align-functions",
        "-fno-align-loops",
        "-fno-align-jumps",
        "-fno-align-labels",
        // It knows the functions of the engine's version.
        ...(process.env.QUICKJS_DIR ? [] : ["-include", join(root, "native/cold.h")]),
      ],
      link: ["-static", "-s", "-Wl,-z,noseparate-code", "-Wl,--build-id=none"],
    };
const work = join(root, "dist/build", options.debug ? "debug" : "release");
const common = [
  "-std=gnu11",
  "-funsigned-char",
  "-ffunction-sections",
  "-fdata-sections",
  "-D_GNU_SOURCE",
  `-I${engineDir}`,
];
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

// What the executable has in place of the engine's tables of Unicode (see engine.c): the linker takes ours.
const REPLACED = ["script", "prop", "general_category", "sequence_prop", "normalize"].map(
  (name) => `-Wl,--wrap=unicode_${name}`,
);

const native = (name) => join(root, "native", name);
const object = (name) => join(work, `${name}.o`);
const strippedPath = (source) => join(work, "js", relative(root, source));

async function compileC(source, output, flags, headers = []) {
  await when(output, [source, ...headers], () =>
    run(toolchain.cc, [...common, ...toolchain.flags, ...flags, "-c", source, "-o", output]),
  );
}

function checkEngine() {
  if (process.env.QUICKJS_DIR) return;
  const hash = createHash("sha256");
  for (const name of readdirSync(engineDir)
    .filter((name) => /\.[ch]$/.test(name))
    .sort())
    hash.update(`${name}\0`).update(readFileSync(join(engineDir, name)));
  const found = hash.digest("hex");
  if (found !== ENGINE_SHA256)
    throw new Error(`the engine's source in ${engineDir} has hash ${found}, expected ${ENGINE_SHA256}`);
}

async function buildEngine() {
  checkEngine();
  const headers = [native("sys.h")];
  await Promise.all([
    ...ENGINE_FILES.map((name) =>
      compileC(
        join(engineDir, name),
        object(name),
        ["-w", ...toolchain.engine, ...(name === "quickjs.c" ? toolchain.interpreter : [])],
        [native("cold.h")],
      ),
    ),
    compileC(native("sys.c"), object("sys.c"), ours, headers),
    compileC(native("sha512.c"), object("sha512.c"), ours, [native("sha512.h")]),
    compileC(native("inflate.c"), object("inflate.c"), ours, [native("inflate.h")]),
    compileC(native("arena.c"), object("arena.c"), ours, [native("arena.h")]),
    compileC(native("compile.c"), object("compile.c"), ours),
  ]);
  await when(join(work, "compile"), [object("compile.c"), ...ENGINE_FILES.map(object)], () =>
    link(join(work, "compile"), [object("compile.c"), ...ENGINE_FILES.map(object)]),
  );
}

function link(output, objects, flags = []) {
  return run(toolchain.cc, [
    ...toolchain.flags,
    ...objects,
    ...toolchain.link,
    ...flags,
    "-Wl,--gc-sections",
    "-lm",
    "-o",
    output,
  ]);
}

/** Types become spaces, so that lines and columns stay those of the TypeScript. */
async function stripTypes(source, output) {
  await when(output, [source], () => {
    const text = blankSpace(readFileSync(source, "utf8"), (node) => {
      throw new Error(`${source}: '${node.getText()}' has no meaning without its type`);
    });
    writeFileSync(output, text);
  });
}

/**
 * The modules that a program consists of, in groups of what is loaded together. Those that its entry imports, directly or
 * through others, are hot: they are loaded when the image is made. Those that are reached by `import()` alone are cold:
 * bytecode until they are called for.
 */
async function modulesOf(entry) {
  const found = new Set();
  const hot = await follow(found, entry);
  const cold = [];
  // What a cold module calls for lies behind it: a plugin's verbs behind the plugin.
  const descend = async (group) => {
    for (const source of group)
      for (const next of await imported(source, /\bimport\(\s*"(\.[^"]+)"/g)) {
        const below = await follow(found, next);
        cold.push(below);
        await descend(below);
      }
  };
  // The entry last: what its large programs share with plugins lies with these, which then need not unpack a program.
  await descend(hot.slice(1));
  await descend(hot.slice(0, 1));
  return { hot: [hot], cold };
}

/** Finds a module and all that it imports at once, but what was found before. */
async function follow(found, first) {
  const sources = new Set(found.has(first) ? [] : [first]);
  for (const source of sources) {
    found.add(source);
    for (const next of await imported(source, /(?:\bfrom|\bimport)\s*"(\.[^"]+)"/g))
      if (!found.has(next)) sources.add(next);
  }
  return [...sources];
}

/** The modules of ours that a module imports in the way of `pattern`. */
async function imported(source, pattern) {
  const stripped = strippedPath(source);
  await stripTypes(source, stripped);
  return [...readFileSync(stripped, "utf8").matchAll(pattern)]
    .map(([, name]) => resolve(dirname(source), name))
    .filter(existsSync); // what is missing, tsc reports better
}

/** `base`: the folder below which modules have their names. */
async function buildProgram(output, base, entry, suffix = "") {
  const modules = await modulesOf(entry);
  const hot = await compileModules(`hot${suffix}`, base, modules.hot);
  const cold = await compileModules(`cold${suffix}`, base, modules.cold);
  const host = object(`engine${suffix}.c`);
  const headers = [native("sys.h"), native("modules.h"), native("inflate.h"), native("arena.h")];
  await compileC(native("engine.c"), host, [...ours, `-DENTRY="${relative(base, entry)}"`], headers);
  const objects = [
    host,
    object("sys.c"),
    object("sha512.c"),
    object("inflate.c"),
    object("arena.c"),
    ...ENGINE_FILES.map(object),
  ];
  const make = options.debug ? linkWithModules : linkWithImage;
  await when(output, [hot, cold, ...objects], () => make(output, objects, { hot, cold }, suffix));
}

/** Bytecode of groups of modules, packed, in the file that is given back. */
async function compileModules(title, base, groups) {
  const [bytecode, folder] = [join(work, `${title}.bin`), strippedPath(base)];
  const names = groups.flat().map((source) => relative(base, source));
  // The list of names is an input too: a file that went must leave the executable.
  const list = join(work, `${title}.txt`);
  if (!existsSync(list) || readFileSync(list, "utf8") !== names.join("\n"))
    writeFileSync(list, names.join("\n"));
  const stripped = names.map((name) => join(folder, name));
  await when(bytecode, [list, native("pack.mjs"), join(work, "compile"), ...stripped], async () => {
    const env = { ...process.env, ASAN_OPTIONS: "detect_leaks=0" };
    await run(join(work, "compile"), [bytecode, folder, ...names], { env });
    const sizes = groups.map(({ length }) => length);
    writeFileSync(bytecode, pack(readFileSync(bytecode), sizes));
  });
  return bytecode;
}

/** The bytecode in the executable, read at each start: the sanitizers want memory that they see allocated. */
async function linkWithModules(output, objects, { hot, cold }, suffix) {
  const data = await dataObject(suffix, { bytecode: [hot, cold], imageSize: 4096 });
  await link(output, [...objects, data], REPLACED);
}

/** The engine started and its hot modules loaded, in the executable: see arena.c. */
async function linkWithImage(output, objects, { hot, cold }, suffix) {
  const [program, image] = [join(work, `program${suffix}`), join(work, `image${suffix}.bin`)];
  // Once with room enough, to see how much it takes, then with just that.
  for (let imageSize = 8 << 20; ; ) {
    await link(program, [...objects, await dataObject(suffix, { bytecode: [cold], imageSize })], REPLACED);
    const { stdout } = await run(program, ["--make-image", hot, image]);
    const used = Math.ceil(Number(stdout) / 4096) * 4096;
    if (used === imageSize) break;
    imageSize = used;
  }
  await run("objcopy", ["--update-section", `.image=${image}`, program, output]);
}

/** The symbols of modules.h and arena.c. */
async function dataObject(suffix, { bytecode, imageSize }) {
  const source = join(work, `data${suffix}.S`);
  const lines = [
    ".section .rodata",
    ".globl modules, modules_end",
    "modules:",
    ...bytecode.map((file) => `.incbin "${file}"`),
    "modules_end:",
    '.section .image, "aw", %progbits',
    ".balign 4096",
    ".globl image, image_end",
    `image: .skip ${imageSize}`,
    "image_end:",
    '.section .note.GNU-stack, "", %progbits',
  ];
  writeFileSync(source, `${lines.join("\n")}\n`);
  await run(toolchain.cc, ["-c", source, "-o", object(`data${suffix}`)]);
  return object(`data${suffix}`);
}

async function buildAddon() {
  const sources = [native("sys.c"), native("sha512.c"), native("node.c")];
  const headers = require("node-api-headers").include_dir;
  await when(join(root, "dist/host.node"), [...sources, native("sys.h")], () =>
    run("gcc", [
      "-O2",
      "-D_GNU_SOURCE",
      ...ours,
      `-I${headers}`,
      "-shared",
      "-fPIC",
      ...sources,
      "-o",
      join(root, "dist/host.node"),
    ]),
  );
}

async function buildLibrary() {
  await when(
    join(root, "dist/node/runtime/index.node.js"),
    files("src", (name) => /(?<!\.test)\.ts$/.test(name)),
    () =>
      execFileSync(
        process.execPath,
        [require.resolve("typescript/bin/tsc"), "-p", join(root, "tsconfig.node.json")],
        { stdio: "inherit" },
      ),
  );
}

/** Two builds at a time in one folder would take each other's half-written files. */
function alone() {
  const lock = join(work, "lock");
  if (process.env.PLUMB_BUILD_LOCK === lock) return;
  const command = [lock, process.execPath, ...process.argv.slice(1)];
  const { status } = spawnSync("flock", command, {
    stdio: "inherit",
    env: { ...process.env, PLUMB_BUILD_LOCK: lock },
  });
  process.exit(status ?? 1);
}

async function build() {
  const main = join(root, "src/main.ts");
  await buildEngine();
  if (options.entry) {
    const entry = resolve(options.entry);
    await buildProgram(resolve(options.out), root, entry, `.${relative(root, entry).replaceAll("/", "-")}`);
    return;
  }
  await buildProgram(join(root, options.debug ? "dist/debug/plumb" : "dist/plumb"), join(root, "src"), main);
  if (options.debug) return;
  await buildAddon();
  await buildLibrary();
}

mkdirSync(work, { recursive: true });
alone();
try {
  await build();
} catch (error) {
  // What the compiler printed says it all.
  process.stderr.write(`${error.stderr || (error.status ? error.message : error.stack)}\n`);
  process.exitCode = 1;
}
