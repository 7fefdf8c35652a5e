/** A shell on a terminal of its own (util-linux's script), in which a line is typed and TAB is pressed. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const READY = "\u0001ready\u0001";
/** Control-T prints the line as it stands. */
const SHOW = "\u0014";

const RC = {
  bash: (scripts: string) => `
    PS1=''
    . /usr/share/bash-completion/bash_completion 2>/dev/null
    ${scripts}
    bind 'set show-all-if-ambiguous on'
    bind 'set page-completions off'
    bind 'set enable-bracketed-paste off'
    show() { printf '\\n<<%s>>\\n' "$READLINE_LINE"; READLINE_LINE=; READLINE_POINT=0; }
    bind -x '"\\C-t": show'
    PROMPT_COMMAND='printf "\\001ready\\001"'
  `,
  zsh: (scripts: string) => `
    PS1='' PROMPT_EOL_MARK=''
    setopt no_beep
    unset zle_bracketed_paste
    ${scripts}
    show() { printf '\\n<<%s>>\\n' "$BUFFER"; BUFFER=''; zle -I }
    zle -N show; bindkey '^T' show
    precmd() { printf '\\001ready\\001' }
  `,
} as const;

export class Shell implements AsyncDisposable {
  readonly #process: ChildProcess;
  #output = "";
  #changed: () => void = () => undefined;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
      this.#changed();
    });
    process.once("exit", () => this.#changed());
    process.stdin?.on("error", () => undefined);
  }

  /** `setup`: how the completion comes in. `env`: PATH and HOME at least. */
  static async start(name: "bash" | "zsh", setup: string, env: Readonly<Record<string, string>>): Promise<Shell> {
    const home = env["HOME"] ?? "";
    const file = join(home, name === "bash" ? "rc" : ".zshrc");
    await writeFile(file, RC[name](setup));
    const command = name === "bash" ? `bash --noprofile --rcfile ${file} -i` : "zsh -d -i";
    const child = spawn("script", ["-qec", command, "/dev/null"], {
      cwd: home,
      env: { TERM: "dumb", ZDOTDIR: home, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const shell = new Shell(child);
    await shell.#until(READY);
    return shell;
  }

  /** Types, presses TAB, and tells the line that came of it; the list of candidates, if any, is in `output`. */
  async tab(line: string): Promise<string> {
    this.#output = "";
    this.#process.stdin?.write(`${line}\t${SHOW}`);
    await this.#until(">>");
    return /<<([\s\S]*?)>>/.exec(this.#output)?.[1] ?? "";
  }

  get output(): string {
    return this.#output;
  }

  async #until(text: string): Promise<void> {
    while (!this.#output.includes(text)) {
      const ended = this.#process.exitCode !== null;
      if (ended) throw new Error(`the shell ended: ${this.#output}`);
      await new Promise<void>((done) => {
        this.#changed = done;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((done) => this.#process.once("close", done));
    this.#process.kill("SIGKILL");
    await ended;
  }
}
