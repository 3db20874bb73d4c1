/** The token: from the address's fragment, which is stripped at once, or typed in; kept for this tab only. */

const KEPT = "countertop.token";

/** Takes `#token=…` out of the address, so that it is in no bookmark and over no shoulder. */
export function takeTokenFromAddress() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!found) return;
  sessionStorage.setItem(KEPT, found);
  history.replaceState(null, "", location.pathname + location.search);
}

export function token() {
  return sessionStorage.getItem(KEPT);
}

export function keepToken(value) {
  sessionStorage.setItem(KEPT, value);
}

export function forgetToken() {
  sessionStorage.removeItem(KEPT);
}
