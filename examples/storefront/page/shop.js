// A page without any library: it shows the catalogue, buys one piece by NATIVE, and shows what the payment code says. examples/h5
// is a page for customers.

const element = (id) => document.getElementById(id);
const yuan = (fen) => `¥${(fen / 100).toFixed(2)}`;

let token = sessionStorage.getItem("token");

async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return response.json();
}

async function callLoggedIn(method, path, body) {
  let answer = token ? await call(method, path, body) : { code: 2 };
  if (answer.code === 2) {
    token = (await call("POST", "login", { source: "Browser" })).token;
    sessionStorage.setItem("token", token);
    answer = await call(method, path, body);
  }
  return answer;
}

async function showCatalogue() {
  const { products = [] } = await call("GET", "catalog");
  element("products").replaceChildren(...products.map((product) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = `${product.name} ${yuan(product.price)} · ${product.stock}`;
    const button = document.createElement("button");
    button.textContent = "购买 · Buy";
    button.disabled = product.stock < 1;
    button.addEventListener("click", () => buy(product, button));
    item.append(name, button);
    return item;
  }));
}

async function buy(product, button) {
  button.disabled = true;
  element("message").textContent = "";
  const order = await callLoggedIn("POST", "createdOrder", { id: product.id, num: 1, tradeType: "NATIVE" });
  button.disabled = false;
  if (order.code !== 0) {
    element("message").textContent = order.message;
    return;
  }
  element("code").textContent = order.codeURL;
  element("payment").hidden = false;
  await follow(order.orderNumber);
}

async function follow(number) {
  for (;;) {
    const order = await callLoggedIn("GET", `orders/${number}`);
    element("description").textContent = order.description;
    element("total").textContent = yuan(order.total);
    element("state").textContent = order.state;
    if (order.state !== "Pending" && order.state !== "AwaitingPayment") break;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  await showCatalogue();
}

showCatalogue();
