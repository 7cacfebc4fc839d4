// Renews the list of orders while the page is looked at, and reads payment codes where the browser can. The cashier works without it.
"use strict";

const list = document.getElementById("orders");

async function renew() {
  if (document.hidden || list.contains(document.activeElement)) return; // do not take the focus away
  const response = await fetch("/cashier/");
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("orders");
  if (fresh.innerHTML !== list.innerHTML) list.replaceChildren(...fresh.childNodes);
}

if (list) setInterval(() => renew().catch(() => {}), 2000); // the simulator may be restarted meanwhile

const camera = document.getElementById("camera");

async function scan() {
  const picture = document.getElementById("picture");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const reader = new BarcodeDetector({ formats: ["qr_code"] });
  picture.srcObject = stream;
  picture.hidden = false;
  await picture.play();
  let found = [];
  while (found.length === 0) {
    found = await reader.detect(picture);
    await new Promise(requestAnimationFrame);
  }
  stream.getTracks().forEach((track) => track.stop());
  const code = document.getElementById("code");
  code.value = found[0].rawValue;
  code.form.requestSubmit();
}

if (camera && "BarcodeDetector" in window && navigator.mediaDevices) {
  camera.hidden = false;
  camera.addEventListener("click", () => scan().catch((error) => { camera.textContent = String(error); }));
}
