/** The visit's card design and receipt: the JSON forms of what `countertop demo` uses. */

async function load(name) {
  const address = new URL(`data/${name}.json`, import.meta.url);
  const response = await fetch(address, { credentials: "omit" });
  if (!response.ok) throw new Error(`The console lacks its file ${name}.json (HTTP status ${response.status}).`);
  return response.json();
}

export function cardDesign() {
  return load("bank-card");
}

/** The demo's voucher, with its moment and number. */
export async function sampleReceipt(moment) {
  const two = (value) => String(value).padStart(2, "0");
  const date = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  const time = `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
  return filled(await load("receipt"), { moment: `${date} ${time}`, number: `${date.replaceAll("-", "")}000042` });
}

/** A form with each {name} in its texts replaced. */
export function filled(form, values) {
  if (typeof form === "string") return form.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  if (Array.isArray(form)) return form.map((item) => filled(item, values));
  if (form === null || typeof form !== "object") return form;
  return Object.fromEntries(Object.entries(form).map(([name, value]) => [name, filled(value, values)]));
}
