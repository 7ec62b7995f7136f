// OpenClaw's portable presentation to the components of the agent protocol, and what people press
// back to what was meant. Pure but for the store that keeps what a button does: an id of 40
// characters and a value of 50 are all that survives the way through every platform.

const STYLES = { primary: "primary", success: "primary", danger: "danger" };
const MOST = { buttons: 25, options: 25, components: 10 };

// What the agent protocol holds; the gateway lowers what a platform lacks.
export const CAPABILITIES = {
  supported: true,
  buttons: true,
  selects: true,
  context: true,
  divider: false,
  charts: false,
  tables: false,
  limits: {
    actions: { maxActions: 25, maxActionsPerRow: 5, maxRows: 5, maxLabelLength: 75, supportsStyles: true, supportsDisabled: false },
    selects: { maxOptions: 25, maxLabelLength: 75 },
    text: { maxLength: 40_000, encoding: "characters", markdownDialect: "markdown" },
  },
};

/** What OpenClaw may offer here; what a platform has in no way is said in words instead. */
export function capabilitiesOf(limits) {
  return { ...CAPABILITIES, buttons: limits.everywhere("buttons"), selects: limits.everywhere("selects") };
}

/**
 * Render a presentation.
 * @returns {{text: string, components: object[]}} the text is what stands above the components
 */
export function rendered(presentation, store) {
  const lines = presentation.title ? [`**${presentation.title}**`] : [];
  const components = [];
  for (const block of presentation.blocks ?? []) {
    if (block.type === "text") lines.push(block.text);
    else if (block.type === "context") lines.push(`*${block.text}*`);
    else if (block.type === "divider") lines.push("---");
    else if (block.type === "buttons") components.push(...buttonsOf(block, store, lines));
    else if (block.type === "select") components.push(selectOf(block, store));
  }
  return { text: lines.join("\n\n"), components: components.slice(0, MOST.components) };
}

function buttonsOf(block, store, lines) {
  const buttons = [];
  for (const button of block.buttons) {
    const action = actionOf(button);
    if (button.disabled || action === null || (action.type === "web-app" && !action.url)) lines.push(button.label);
    else buttons.push(buttonOf(button, action, store));
  }
  return buttons.length ? [{ type: "buttons", buttons: buttons.slice(0, MOST.buttons) }] : [];
}

function buttonOf(button, action, store) {
  const id = store.keepAction(action, button.label);
  const shown = { id, label: cut(button.label, 75), style: STYLES[button.style] ?? "default" };
  return action.url ? { ...shown, url: action.url } : shown;
}

function selectOf(block, store) {
  const options = block.options.slice(0, MOST.options).map((option) => ({
    label: cut(option.label, 75),
    value: store.keepAction(actionOf(option) ?? { type: "callback", value: option.label }, option.label),
  }));
  const id = store.keepAction({ type: "select" }, block.placeholder ?? "");
  return { type: "select", id, options, ...(block.placeholder && { placeholder: cut(block.placeholder, 150) }) };
}

function actionOf({ action, value, url }) {
  if (action) return action;
  if (url) return { type: "url", url };
  return value ? { type: "callback", value } : null;
}

/**
 * Tell what `action.invoked` means: `{kind: "text", text}` is said by the person, `{kind: "command",
 * text}` is run, `{kind: "approval", approval}` is decided, `{kind: "nothing"}`.
 */
export function pressed(action, store) {
  if (action.kind === "form") return { kind: "text", text: formText(action) };
  const known = store.action(action.id);
  if (known === undefined) return { kind: "text", text: pressText(action.id, action.values) };
  if (known.action.type === "select") return chosen(action, store);
  return meaningOf(known);
}

function chosen(action, store) {
  const options = action.values.map((value) => store.action(value)).filter(Boolean);
  if (options.length === 1) return meaningOf(options[0]);
  return { kind: "text", text: options.map(({ action: each, label }) => each.value ?? label).join(", ") };
}

function meaningOf({ action, label }) {
  if (action.type === "command") return { kind: "command", text: action.command };
  if (action.type === "approval") return { kind: "approval", approval: action };
  // A question is answered by the words of its choice too: the agent waits for either.
  if (action.type === "question") return { kind: "text", text: action.optionValue ?? label };
  if (action.type === "callback") return { kind: "text", text: pressText(label, [action.value]) };
  return { kind: "nothing" };
}

function pressText(label, values) {
  const value = values.filter(Boolean).join(", ");
  return value && value !== label ? `[pressed: ${label} (${value})]` : `[pressed: ${label}]`;
}

function formText({ id, fields }) {
  const lines = Object.entries(fields ?? {}).map(([name, values]) => `${name}: ${values.join(", ")}`);
  return [`[form: ${id}]`, ...lines].join("\n");
}

function cut(text, most) {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}
