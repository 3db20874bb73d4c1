/**
 * What the form's values say of a person.
 *
 * @param {Record<string, string>} values by the names of the form's fields
 * @param {number} count of people who were made before
 */
export function factsOf(values, count) {
  const expired = values.wrong === "expired";
  const foreign = values.kind.startsWith("foreign");
  return {
    id: `made-${count}`,
    kind: values.kind,
    name: values.name,
    latinName: values.latin || (foreign ? "NEW, PERSON" : ""),
    sex: values.sex,
    birthDate: values.birth,
    ethnicity: values.ethnicity,
    nationality: foreign ? values.nationality || "UTO" : "CHN",
    address: values.address,
    validFrom: expired ? "2005-01-01" : values.from,
    validUntil: expired ? "2015-01-01" : values.until,
    sequence: 100 + count,
    wrongDigit: values.wrong === "digit",
  };
}
