/** Identity cards as drawings: not the look of real ones, but their proportions and fields. */
import { drawing, s } from "./svg.js";

const WIDTH = 428;
const HEIGHT = 270;
const TITLES = {
  resident: ["居民身份证", "RESIDENT IDENTITY CARD"],
  permit: ["港澳台居民居住证", "RESIDENCE PERMIT"],
  foreign2017: ["外国人永久居留身份证", "PERMANENT RESIDENT 2017"],
  foreign2023: ["外国人永久居留身份证", "PERMANENT RESIDENT 2023"],
};
const GROUNDS = {
  resident: ["#e3eef7", "#f6ecdd", "#2f6a9b"],
  permit: ["#e0f1ec", "#f4f2dd", "#1f7a68"],
  foreign2017: ["#efe7f5", "#e4edf7", "#6a4c93"],
  foreign2023: ["#e9e6fb", "#f7e6ee", "#7a3f7d"],
};
const SKIN = ["#f1c9a5", "#e0ac83", "#f6d7bd", "#c98f66"];
const HAIR = ["#22190f", "#3b2a1e", "#141414", "#5b4331"];
const CLOTHES = ["#34557d", "#7a3b4b", "#3d6b56", "#5b5370", "#8a6a3a"];

function hash(text) {
  let value = 7;
  for (const character of text) value = (value * 31 + character.codePointAt(0)) % 100003;
  return value;
}

/** A cartoon of somebody in a box of 100 by 120: always the same for the same id. */
export function portrait(id, sex) {
  const seed = hash(id);
  const skin = SKIN[seed % SKIN.length];
  const hair = HAIR[(seed >> 2) % HAIR.length];
  const clothes = CLOTHES[(seed >> 4) % CLOTHES.length];
  const long = sex === "SEX_FEMALE";
  return s(
    "g",
    null,
    s("rect", { width: 100, height: 120, fill: "#fbfbfa" }),
    long ? s("path", { d: "M24 52c0-26 12-38 26-38s26 12 26 38v44H24z", fill: hair }) : null,
    s("path", { d: "M12 120c0-20 15-30 38-30s38 10 38 30z", fill: clothes }),
    s("path", { d: "M40 78h20v14c0 6-4 9-10 9s-10-3-10-9z", fill: skin, opacity: 0.92 }),
    s("ellipse", { cx: 50, cy: 56, rx: 21, ry: 26, fill: skin }),
    s("path", { d: long ? "M28 54c2-20 11-26 22-26s20 6 22 26c-8-6-14-12-18-18-4 8-14 14-26 18z"
      : "M28 52c-2-20 9-30 22-30s24 10 22 30c-3-7-5-11-9-14-8 3-22 3-28 0-4 4-5 8-7 14z", fill: hair }),
    s("circle", { cx: 42, cy: 57, r: 2.2, fill: "#2b2320" }),
    s("circle", { cx: 58, cy: 57, r: 2.2, fill: "#2b2320" }),
    s("path", { d: "M44 70q6 4 12 0", stroke: "#8d4f45", "stroke-width": 2, fill: "none", "stroke-linecap": "round" }),
  );
}

/** A person's face alone, for lists. */
export function face(person, label = "") {
  const picture = portrait(person.id, person.facts.sex);
  return drawing(`face-${person.id}`, 100, 120, { label, className: "bench-face" }, picture);
}

function fields({ facts, document }) {
  const sex = facts.sex === "SEX_MALE" ? "男 M" : "女 F";
  const validity = `${dotted(document.validFrom)} – ${document.validUntil ? dotted(document.validUntil) : "长期"}`;
  if (facts.kind.startsWith("foreign")) {
    return [
      ["姓名 Name", facts.latinName],
      ["", facts.name],
      ["性别 Sex", `${sex}    国籍 ${facts.nationality}`],
      ["出生 Birth", dotted(facts.birthDate)],
      ["有效期", validity],
    ];
  }
  const [year, month, day] = facts.birthDate.split("-");
  return [
    ["姓名", facts.name],
    ["性别", facts.kind === "resident" ? `${sex}    民族 ${facts.ethnicityName ?? ""}` : sex],
    ["出生", `${year} 年 ${Number(month)} 月 ${Number(day)} 日`],
    ["住址", facts.address.slice(0, 14)],
    ["", facts.address.slice(14, 28)],
    ["有效期", validity],
  ];
}

function dotted(date) {
  return (date ?? "").replaceAll("-", ".");
}

/** The front of a person's card. `className` goes to its frame. */
export function cardPicture(person, { label = "", className = "" } = {}) {
  const { facts, document } = person;
  const [from, to, ink] = GROUNDS[facts.kind];
  const [title, subtitle] = TITLES[facts.kind];
  const id = `ground-${hash(person.id + facts.kind + document.number)}`;
  const rows = fields(person).map(([name, value], index) => {
    const y = 76 + index * 27;
    return [
      s("text", { x: 24, y, "font-size": 11, fill: ink }, name),
      s("text", { x: 84, y, "font-size": 14, fill: "#1c2230" }, value),
    ];
  });
  return drawing(
    `card-${person.id}-${document.number}-${facts.name}`,
    WIDTH,
    HEIGHT,
    { label, className: `bench-card ${className}` },
    s("defs", null, s("linearGradient", { id, x1: 0, y1: 0, x2: 1, y2: 1 },
      s("stop", { offset: 0, "stop-color": from }), s("stop", { offset: 1, "stop-color": to }))),
    s("rect", { width: WIDTH, height: HEIGHT, rx: 15, fill: `url(#${id})` }),
    [60, 84, 108, 132, 156].map((r) =>
      s("circle", { cx: 214, cy: 300, r: r * 1.6, fill: "none", stroke: ink, opacity: 0.09, "stroke-width": 2 })),
    s("text", { x: 24, y: 34, "font-size": 18, "font-weight": 700, fill: ink, "letter-spacing": 2 }, title),
    s("text", { x: 24, y: 50, "font-size": 8.5, fill: ink, "letter-spacing": 1.5 }, `${subtitle} · 样证 SPECIMEN`),
    rows,
    s("svg", { x: 300, y: 58, width: 106, height: 128, viewBox: "0 0 100 120" }, portrait(person.id, facts.sex)),
    s("text", { x: 24, y: 248, "font-size": 11, fill: ink }, "号码 No."),
    s("text", { x: 104, y: 249, "font-size": 18, "font-family": "monospace", fill: "#1c2230", "letter-spacing": 1.2 },
      document.number),
  );
}
