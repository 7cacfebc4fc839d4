// Orders, pays, refunds and closes at the simulator, and takes its callbacks, as a shop in Node.js
// does. It reads its settings from the environment and prints what it saw as one line of JSON.
const http = require('node:http');
const { Wechatpay, Rsa, Aes, Formatter } = require('wechatpay-axios-plugin');

const settings = JSON.parse(process.env.SETTINGS);
const certs = { [settings.publicKeyID]: settings.publicKey };
const seen = { refused: 0, codes: {} };

const wechat = new Wechatpay({
  mchid: settings.mchid, serial: settings.serial, privateKey: settings.privateKey, certs,
  baseURL: settings.url, headers: { 'Wechatpay-Serial': settings.publicKeyID },
});

// The shop: a callback is verified first, then decrypted.
const waiting = [];
const taken = [];
const shop = http.createServer((request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const header = (name) => request.headers[`wechatpay-${name}`];
    const fresh = Math.abs(Formatter.timestamp() - header('timestamp')) < 300;
    const key = certs[header('serial')];
    const text = Formatter.response(header('timestamp'), header('nonce'), body);
    if (!fresh || !key || !Rsa.verify(text, header('signature'), Rsa.from(key, Rsa.KEY_TYPE_PUBLIC))) {
      seen.refused += 1;
      response.writeHead(401).end('{"code":"FAIL","message":"签名错误"}');
      return;
    }
    const { resource } = JSON.parse(body);
    const plain = Aes.AesGcm.decrypt(resource.ciphertext, settings.apiV3Key, resource.nonce, resource.associated_data);
    response.writeHead(204).end();
    const next = waiting.shift();
    if (next) next(JSON.parse(plain)); else taken.push(JSON.parse(plain));
  });
});
const callback = () => (taken.length > 0 ? Promise.resolve(taken.shift()) : new Promise((resolve) => { waiting.push(resolve); }));

const admin = async (path, body) => {
  const response = await fetch(settings.adminURL + path, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
};

// failure returns the code of a call that has to fail.
const failure = async (call) => {
  try {
    await call;
    return 'none';
  } catch (error) {
    return error.response?.data?.code ?? error.code;
  }
};

const run = async () => {
  await new Promise((resolve) => { shop.listen(0, '127.0.0.1', resolve); });
  const notifyURL = `http://127.0.0.1:${shop.address().port}`;
  const { transactions } = wechat.v3.pay;
  const order = (number) => ({
    appid: settings.appid, mchid: settings.mchid, description: '店-肥皂 <x1> & more', out_trade_no: number, notify_url: `${notifyURL}/payment`,
    amount: { total: 101, currency: 'CNY' },
  });
  const payer = { openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' };
  const prepay = await transactions.jsapi.post({ ...order('order-0001'), payer });
  seen.codeURL = (await transactions.native.post(order('order-0002'))).data.code_url;

  await admin('/faults', { operation: 'payment-callback', kind: 'forge', count: 1 });
  const page = {
    appId: settings.appid, timeStamp: `${Formatter.timestamp()}`, nonceStr: Formatter.nonce(), package: `prepay_id=${prepay.data.prepay_id}`,
  };
  const paySign = Rsa.sign(Formatter.joinedByLineFeed(...Object.values(page)), Rsa.from(settings.privateKey, Rsa.KEY_TYPE_PRIVATE));
  await admin('/request-payment', { ...page, signType: 'RSA', paySign });
  seen.payment = await callback();

  const params = { mchid: settings.mchid };
  seen.query = (await transactions.id[seen.payment.transaction_id].get({ params })).data;
  seen.close = (await transactions.outTradeNo['order-0002'].close.post(params)).status;
  seen.closed = (await transactions.outTradeNo['order-0002'].get({ params })).data.trade_state;

  seen.accepted = (await wechat.v3.refund.domestic.refunds.post({
    out_trade_no: 'order-0001', out_refund_no: 'refund-1', notify_url: `${notifyURL}/refund`,
    amount: { refund: 50, total: 101, currency: 'CNY' },
  })).data;
  seen.refund = await callback();
  seen.refundQuery = (await wechat.v3.refund.domestic.refunds['refund-1'].get()).data;

  seen.codes.unknown = await failure(transactions.outTradeNo['order-9999'].get({ params }));
  await admin('/faults', { operation: 'orderquery', kind: 'bad-signature', count: 1 });
  seen.codes.badSignature = await failure(transactions.outTradeNo['order-0001'].get({ params }));
};

run().then(() => console.log(JSON.stringify(seen)), (error) => {
  console.error(error.response?.data ?? error);
  process.exitCode = 1;
}).finally(() => shop.close());
