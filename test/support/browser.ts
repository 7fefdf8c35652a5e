/** A page in a real browser without a window: Chromium, spoken to over pipes by its DevTools protocol. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";

type Message = Readonly<Record<string, unknown>>;

export class Browser implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #home: string;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #waiting = new Set<(message: Message) => void>();
  #last = 0;
  #failed: (error: Error) => void = () => undefined;
  #session: string | undefined;
  /** What the page complained of: errors, and what its policy forbade. */
  readonly complaints: string[] = [];
  /** Addresses that were asked for besides the page's own. */
  readonly requests: string[] = [];

  private constructor(process: ChildProcess, home: string) {
    this.#process = process;
    this.#home = home;
    process.once("error", (error) => this.#failed(error));
    process.once("exit", (code) => this.#failed(new Error(`the browser ended with ${code}`)));
    let rest = "";
    const output = process.stdio[4];
    if (!(output instanceof Readable)) throw new Error("no pipe from the browser");
    output.setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop() ?? "";
      for (const one of messages) this.#take(JSON.parse(one));
    });
  }

  /** `dark`: as the reader's system would have it. */
  static async open(file: string, { width = 1280, height = 900, dark = false } = {}): Promise<Browser> {
    const home = await mkdtemp(join(tmpdir(), "sregistry-browser-"));
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
    const scheme = `--blink-settings=preferredColorScheme=${dark ? 0 : 1}`;
    const words = [...flags, scheme, `--user-data-dir=${home}`, "--remote-debugging-pipe", "about:blank"];
    const child = spawn("chromium", words, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    const browser = new Browser(child, home);
    const { targetId } = await browser.#send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#send("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = String(sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await browser.#send(`${domain}.enable`);
    await browser.#send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    const loaded = browser.#event("Page.loadEventFired");
    await browser.#send("Page.navigate", { url: `file://${file}` });
    await loaded;
    await browser.settled();
    return browser;
  }

  /** The value of an expression in the page. */
  async value(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      ...{ expression, returnByValue: true, awaitPromise: true },
    });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value?: unknown }).value;
  }

  /** Until what was just asked for is drawn. */
  async settled(): Promise<void> {
    await this.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
  }

  async press(key: "Enter" | "Escape" | "ArrowRight" | "ArrowDown" | "Tab"): Promise<void> {
    const code = { Enter: 13, Escape: 27, ArrowRight: 39, ArrowDown: 40, Tab: 9 }[key];
    const named = { key, code: key, windowsVirtualKeyCode: code, ...(key === "Enter" ? { text: "\r" } : {}) };
    await this.#send("Input.dispatchKeyEvent", { type: "keyDown", ...named });
    await this.#send("Input.dispatchKeyEvent", { type: "keyUp", ...named });
    await this.settled();
  }

  /** The middle of an element. */
  async pointAt(selector: string, click = false): Promise<void> {
    const box = await this.value(`(() => {
      const { x, y, width, height } = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    const at = { ...(box as object), button: click ? "left" : "none", clickCount: click ? 1 : 0 };
    await this.#send("Input.dispatchMouseEvent", { type: "mouseMoved", ...at, button: "none" });
    if (click) {
      await this.#send("Input.dispatchMouseEvent", { type: "mousePressed", ...at });
      await this.#send("Input.dispatchMouseEvent", { type: "mouseReleased", ...at });
    }
    await this.settled();
  }

  #take(message: Message): void {
    const { id, method, params } = message;
    if (typeof id === "number") this.#answers.get(id)?.(message);
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded")
      this.complaints.push(JSON.stringify(params));
    if (method === "Network.requestWillBeSent") {
      this.requests.push(String((params as { readonly request: { readonly url: string } }).request.url));
    }
    for (const listener of this.#waiting) listener(message);
  }

  async #send(method: string, params: Message = {}): Promise<Message> {
    this.#last += 1;
    const id = this.#last;
    const input = this.#process.stdio[3];
    if (!(input instanceof Writable)) throw new Error("no pipe to the browser");
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    const answer = new Promise<Message>((done, failed) => {
      this.#answers.set(id, done);
      this.#failed = failed;
    });
    input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result as Message;
  }

  #event(method: string): Promise<void> {
    return new Promise((done) => {
      const listener = (message: Message): void => {
        if (message["method"] !== method) return;
        this.#waiting.delete(listener);
        done();
      };
      this.#waiting.add(listener);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.kill("SIGKILL");
    await ended;
    await rm(this.#home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
