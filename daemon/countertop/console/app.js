/** The console begins here: who looks, what they see, and what is said aloud. */
import { createActs } from "./acts.js";
import { h, morph, setText } from "./dom.js";
import { currentLanguage, setLanguage, t } from "./i18n.js";
import { OwnClaims } from "./own_claims.js";
import { createRpc } from "./rpc.js";
import { forgetToken, keepToken, takeTokenFromAddress, token } from "./session.js";
import { createStore } from "./store.js";
import { applyTheme } from "./theme.js";
import { nameOf } from "./views/words.js";
import "./views/shell.js";
import "./views/sign_in.js";

const SPOKEN_FOR = 4000;
const TROUBLE = new Set(["DEVICE_STATE_OFFLINE", "DEVICE_STATE_FAULT"]);

const place = document.getElementById("app");
const announcer = document.getElementById("announcer");
const toast = document.getElementById("toast");
let context = null;
let silence = 0;

/** Says something once, by voice and for a moment on the page. */
function announce(text) {
  setText(announcer, "");
  requestAnimationFrame(() => setText(announcer, text));
  setText(toast, text);
  toast.classList.add("shown");
  clearTimeout(silence);
  silence = setTimeout(() => toast.classList.remove("shown"), SPOKEN_FOR);
}

function showSignIn(refusal = null) {
  const parts = { t, announce, store: null };
  morph(place, h("main", { id: "main", key: "sign-in" }, h("sign-in", { ".context": parts, ".refusal": refusal, ".onToken": (given) => { keepToken(given); begin(); } })));
}

/** Trouble is said aloud; the rest can be read. */
function sayTrouble(store) {
  const known = new Map();
  store.subscribe((change) => {
    for (const id of change.devices) {
      const device = store.device(id);
      if (device && TROUBLE.has(device.state) && known.has(id) && known.get(id) !== device.state) announce(`${nameOf(device)}: ${t(device.state)}`);
      known.set(id, device?.state);
    }
  });
  store.onOperation((operation) => {
    const was = known.get(operation.id);
    known.set(operation.id, operation.state);
    if (was && was !== operation.state && operation.state === "OPERATION_STATE_UNCERTAIN") announce(t("operations.look"));
  });
}

function begin() {
  const rpc = createRpc({ base: "", token, onUnauthorised: (error) => end(error) });
  const store = createStore(rpc);
  const ownClaims = new OwnClaims(rpc);
  const acts = createActs({ rpc, store, ownClaims });
  context = { rpc, store, t, announce, acts, ownClaims };
  sayTrouble(store);
  store.start();
  morph(place, h("console-shell", { key: "shell", ".context": context, ".onSignOut": () => end(null) }));
}

/** Back to the question for a token: it was refused, or is wanted no longer. */
function end(refusal) {
  if (!context) return;
  context.store.stop();
  for (const claim of context.ownClaims.list) claim.abort.abort();
  context = null;
  forgetToken();
  showSignIn(refusal);
}

takeTokenFromAddress();
applyTheme();
setLanguage(currentLanguage());
if (token()) begin();
else showSignIn();
