/**
 * Invented people and their identity documents. Region codes that no authority has given out (00 is no province's, 81
 * to 83 stand for the residence permits), sequence numbers of the demonstration: no number here is a living person's.
 */

const GB_DIGITS = "10X98765432";
const ICAO_WEIGHTS = [7, 3, 1];
const ICAO_VALUES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const AUTHORITY = "样例市公安局示范分局";

export const KINDS = {
  resident: "DOCUMENT_TYPE_RESIDENT_CARD",
  foreign2017: "DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017",
  foreign2023: "DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023",
  permit: "DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT",
};

/** GB/T 3304: the commonest groups, by their codes. */
export const ETHNICITIES = {
  "01": "汉", "02": "蒙古", "03": "回", "04": "藏", "05": "维吾尔", "06": "苗", "07": "彝", "08": "壮", "10": "朝鲜", "11": "满",
  "15": "土家", "17": "哈萨克", "18": "傣", "22": "畲",
};

/** The last character of an 18-character number (GB 11643: ISO 7064 MOD 11-2). */
export function gb11643Digit(first17) {
  let weight = 1;
  let sum = 0;
  for (let place = 16; place >= 0; place--) {
    weight = (weight * 2) % 11;
    sum += Number(first17[place]) * weight;
  }
  return GB_DIGITS[sum % 11];
}

/** The check digit of a 15-character number (ICAO 9303-3), over the 14 before it. */
export function icaoDigit(first14) {
  let sum = 0;
  for (let place = 0; place < first14.length; place++) {
    sum += ICAO_VALUES.indexOf(first14[place]) * ICAO_WEIGHTS[place % 3];
  }
  return String(sum % 10);
}

/** What stands before the check digit, by kind: region, date of birth, a sequence that is odd for men. */
const BODIES = {
  resident: ({ birthDate, sex }, sequence) => `000101${compact(birthDate)}${parity(sequence, sex)}`,
  permit: ({ birthDate, sex }, sequence) => `810000${compact(birthDate)}${parity(sequence, sex)}`,
  foreign2023: ({ birthDate, sex }, sequence) => `900001${compact(birthDate)}${parity(sequence, sex)}`,
  foreign2017: ({ birthDate, nationality }, sequence) =>
    `${nationality}0001${compact(birthDate).slice(2)}${sequence % 10}`,
};

/** A number with its check digit; `wrong` makes the last character another one of the same form. */
export function makeNumber(kind, facts, sequence = 0, wrong = false) {
  const body = BODIES[kind](facts, sequence);
  const right = kind === "foreign2017" ? icaoDigit(body) : gb11643Digit(body);
  return body + (wrong ? String((Number(right === "X" ? "4" : right) + 1) % 10) : right);
}

function compact(date) {
  return date.replaceAll("-", "");
}

function parity(sequence, sex) {
  const odd = sex === "SEX_MALE" ? 1 : 0;
  return String((sequence % 500) * 2 + odd).padStart(3, "0");
}

/**
 * An invented person with the document that the emulator takes.
 *
 * @param {object} facts kind, name, latinName, sex, birthDate, ethnicity, nationality, address, validFrom, validUntil
 *   ("" for long-term), sequence, wrongDigit
 */
export function makePerson(facts) {
  const { kind, name, latinName = "", sex, birthDate, nationality = "CHN", sequence = 0 } = facts;
  const document = {
    type: KINDS[kind],
    person: { name, latinName, sex, birthDate, nationality },
    number: facts.number ?? makeNumber(kind, { birthDate, sex, nationality }, sequence, facts.wrongDigit),
    validFrom: facts.validFrom,
    ...(facts.validUntil ? { validUntil: facts.validUntil } : { validLongTerm: true }),
    ...PARTICULARS[kind](facts),
  };
  if (kind === "resident" || kind === "permit") {
    document.person.address = facts.address;
    document.issuingAuthority = AUTHORITY;
  }
  return { id: facts.id ?? document.number, facts, document };
}

const PARTICULARS = {
  resident: ({ ethnicity = "01" }) => ({ residentCard: { ethnicityCode: ethnicity } }),
  permit: () => ({ hkMacaoTaiwanPermit: { passNumber: "H00000001", issueCount: "01" } }),
  foreign2017: () => ({ foreignPermanentResident2017: { cardVersion: "01", authorityCode: "1500" } }),
  foreign2023: () => ({ foreignPermanentResident2023: { renewals: "00" } }),
};

/** What is subtly wrong with a card: "expired", "digit", or nothing. @returns {string[]} */
export function flawsOf({ facts }, today = new Date()) {
  const flaws = [];
  if (facts.validUntil && facts.validUntil < today.toISOString().slice(0, 10)) flaws.push("expired");
  if (facts.wrongDigit) flaws.push("digit");
  return flaws;
}

/** The people who wait at the counter. */
export const PEOPLE = [
  {
    // the emulated reader's own resident (its number's sequence is 000, which nobody has): the one whom the emulated
    // camera shows
    id: "li", kind: "resident", name: "李小样", sex: "SEX_FEMALE", birthDate: "1990-03-07", ethnicity: "01", number: "110101199003070003",
    address: "样例省样例市示范区模拟街道虚构小区1号楼101室", validFrom: "2020-01-15", validUntil: "2040-01-15",
  },
  {
    id: "wang", kind: "resident", name: "王试点", sex: "SEX_MALE", birthDate: "1975-11-20", ethnicity: "11", sequence: 2,
    address: "样例省样例市演示区测试路88号2单元301室", validFrom: "2022-06-01", validUntil: "",
  },
  {
    id: "zhao", kind: "resident", name: "赵过期", sex: "SEX_MALE", birthDate: "1988-08-08", ethnicity: "01", sequence: 3,
    address: "样例省样例市旧城区往年街9号", validFrom: "2010-04-01", validUntil: "2020-04-01",
  },
  {
    id: "qian", kind: "resident", name: "钱错位", sex: "SEX_FEMALE", birthDate: "1996-02-29", ethnicity: "08", sequence: 4,
    address: "样例省样例市新城区校验路11号", validFrom: "2021-09-09", validUntil: "2041-09-09", wrongDigit: true,
  },
  {
    id: "chan", kind: "permit", name: "陳示例", sex: "SEX_MALE", birthDate: "1983-05-12", sequence: 5,
    address: "样例省样例市湾区居住路5号", validFrom: "2023-03-03", validUntil: "2028-03-03",
  },
  {
    id: "specimen", kind: "foreign2023", name: "范例", latinName: "SPECIMEN, ANNA MARIA", sex: "SEX_FEMALE",
    birthDate: "1985-06-30", nationality: "UTO", sequence: 6, validFrom: "2024-02-01", validUntil: "2034-02-01",
  },
  {
    id: "example", kind: "foreign2017", name: "伊赛", latinName: "EXAMPLE, ISAK", sex: "SEX_MALE", birthDate: "1979-12-01",
    nationality: "UTO", sequence: 7, validFrom: "2018-05-05", validUntil: "2028-05-05",
  },
].map(makePerson);
