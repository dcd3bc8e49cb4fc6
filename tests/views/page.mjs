// Runs the page's module without a browser, over as much of a document as it asks for.
// stdin: {module, data, steps: [[selector, index, event, key?]…]}; stdout: what the page shows before and after each step.

class Style {
  values = {};
  setProperty(name, value) { this.values[name] = String(value); }
}

class Node {
  constructor(tag) { Object.assign(this, { tag, attributes: {}, children: [], listeners: {}, style: new Style() }); }
  get className() { return this.attributes.class ?? ""; }
  set className(value) { this.attributes.class = value; }
  get classList() {
    const names = () => new Set(this.className.split(" ").filter(Boolean));
    const change = (how, name) => { const now = names(); now[how](name); this.className = [...now].join(" "); };
    return { add: (name) => change("add", name), remove: (name) => change("delete", name) };
  }
  get textContent() { return this.children.map((child) => (child instanceof Node ? child.textContent : child)).join(""); }
  set textContent(value) { this.children = [String(value)]; }
  append(...children) {
    for (const child of children) {
      if (child instanceof Node) child.parentNode = this;
      this.children.push(child instanceof Node ? child : String(child));
    }
  }
  appendChild(child) { this.append(child); return child; }
  replaceChildren(...children) { this.children = []; this.append(...children); }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  getAttribute(name) { return this.attributes[name] ?? null; }
  get below() { return this.children.filter((c) => c instanceof Node).flatMap((c) => [c, ...c.below]); }
  querySelectorAll(selector) {
    const [, tag, dotted, name, value] = selector.match(/^([\w-]*)(?:\.([\w-]+))?(?:\[([\w-]+)="([^"]*)"\])?$/);
    return this.below.filter((node) =>
      (!tag || node.tag === tag) && (!dotted || node.className.split(" ").includes(dotted)) &&
      (!name || node.getAttribute(name) === value));
  }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  createTHead() { return this.appendChild(new Node("thead")); }
  createTBody() { return this.appendChild(new Node("tbody")); }
  insertRow() { return this.appendChild(new Node("tr")); }
  get tBodies() { return this.querySelectorAll("tbody"); }
  get rows() { return this.querySelectorAll("tr"); }
  addEventListener(type, listener) { (this.listeners[type] ??= []).push(listener); }
  dispatch(type, event, bubbles) {
    for (const listener of this.listeners[type] ?? []) listener(event);
    if (bubbles) this.parentNode?.dispatch(type, event, bubbles);
  }
  focus() {
    this.dispatch("focus", { target: this }, false);
    this.dispatch("focusin", { target: this }, true);
    Node.focused = this;
  }
}

const INSIDE = new Set(["pointerenter", "pointerleave", "focus", "blur"]); // these do not rise
globalThis.document = { createElement: (tag) => new Node(tag), createElementNS: (_, tag) => new Node(tag) };
globalThis.ResizeObserver = class { constructor(then) { this.then = then; } observe() { this.then(); } };
globalThis.DOMParser = class { parseFromString() { return new Node("document"); } };

const shown = (node) => ({
  tag: node.tag, attributes: { ...node.attributes }, style: { ...node.style.values },
  children: node.children.map((child) => (child instanceof Node ? shown(child) : child)),
});

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { module, data, steps } = JSON.parse(input);
const { draw } = await import(module);
const root = new Node("main");
draw(root, data);
const states = [shown(root)];
for (const [selector, index, event, key] of steps) {
  const node = selector ? root.querySelectorAll(selector)[index] : Node.focused;
  if (event === "focus") node.focus();
  else node.dispatch(event, { target: node, key, preventDefault() {} }, !INSIDE.has(event));
  states.push(shown(root));
}
process.stdout.write(JSON.stringify(states));
