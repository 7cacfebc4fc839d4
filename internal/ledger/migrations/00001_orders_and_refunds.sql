-- +goose Up

-- An account is a merchant number, with "@" and the hosts if they are not WeChat Pay's own. Numbers of orders and refunds are
-- unique within it.

CREATE TABLE wechatpay.orders (
    account            text        NOT NULL,
    out_trade_no       text        NOT NULL,
    merchant_number    text        NOT NULL,
    sub_merchant_number text,
    app_id             text        NOT NULL,
    protocol           text,
    trade_type         text        NOT NULL,
    namespace          text        NOT NULL,
    name               text        NOT NULL,
    uid                text        NOT NULL,
    merchant_namespace text        NOT NULL,
    merchant_name      text        NOT NULL,
    description        text        NOT NULL,
    currency           text        NOT NULL,
    total              bigint      NOT NULL CHECK (total > 0),
    state              text        NOT NULL,
    state_time         timestamptz NOT NULL,
    created_time       timestamptz NOT NULL,
    transaction_id     text,
    paid_time          timestamptz,
    cash_total         bigint,
    coupon_total       bigint,
    settlement_total   bigint,
    bank_type          text,
    paid               boolean     NOT NULL GENERATED ALWAYS AS (transaction_id IS NOT NULL) STORED,
    paid_day           date        GENERATED ALWAYS AS ((paid_time AT TIME ZONE 'Asia/Shanghai')::date) STORED,
    recorded_time      timestamptz NOT NULL DEFAULT now(),
    changed_time       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, out_trade_no)
);

CREATE UNIQUE INDEX orders_transaction ON wechatpay.orders (account, transaction_id);
CREATE INDEX orders_paid_day ON wechatpay.orders (account, paid_day);
CREATE INDEX orders_object ON wechatpay.orders (namespace, name);
CREATE INDEX orders_uid ON wechatpay.orders (uid);

CREATE TABLE wechatpay.refunds (
    account            text        NOT NULL,
    out_refund_no      text        NOT NULL,
    out_trade_no       text        NOT NULL,
    merchant_number    text        NOT NULL,
    sub_merchant_number text,
    namespace          text        NOT NULL,
    name               text        NOT NULL,
    uid                text        NOT NULL,
    order_name         text        NOT NULL,
    reason             text,
    currency           text        NOT NULL,
    amount             bigint      NOT NULL CHECK (amount > 0),
    state              text        NOT NULL,
    state_time         timestamptz NOT NULL,
    refund_id          text,
    requested_time     timestamptz NOT NULL,
    accepted_time      timestamptz,
    succeeded_time     timestamptz,
    paid_back          boolean     NOT NULL GENERATED ALWAYS AS (state = 'Succeeded') STORED,
    accepted_day       date        GENERATED ALWAYS AS ((accepted_time AT TIME ZONE 'Asia/Shanghai')::date) STORED,
    succeeded_day      date        GENERATED ALWAYS AS ((succeeded_time AT TIME ZONE 'Asia/Shanghai')::date) STORED,
    recorded_time      timestamptz NOT NULL DEFAULT now(),
    changed_time       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, out_refund_no)
);

CREATE INDEX refunds_order ON wechatpay.refunds (account, out_trade_no);
CREATE INDEX refunds_accepted_day ON wechatpay.refunds (account, accepted_day);
CREATE INDEX refunds_object ON wechatpay.refunds (namespace, name);
CREATE INDEX refunds_uid ON wechatpay.refunds (uid);

-- One line for each paid order: what was paid, what went back, what is left.
CREATE VIEW wechatpay.order_balances AS
SELECT o.account, o.sub_merchant_number, o.out_trade_no, o.transaction_id, o.namespace, o.name, o.description, o.paid_time, o.paid_day, o.currency,
       o.total                                                              AS paid,
       coalesce(sum(r.amount) FILTER (WHERE r.paid_back), 0)::bigint           AS refunded,
       coalesce(sum(r.amount) FILTER (WHERE r.state = 'Processing'), 0)::bigint AS under_way,
       (o.total - coalesce(sum(r.amount) FILTER (WHERE r.paid_back), 0))::bigint AS kept
FROM wechatpay.orders o
LEFT JOIN wechatpay.refunds r USING (account, out_trade_no)
WHERE o.paid
GROUP BY o.account, o.out_trade_no;

-- One line for each day in Beijing, merchant number, sub merchant and currency. A refund counts on the day on which WeChat Pay
-- accepted it, as in WeChat Pay's bill.
CREATE VIEW wechatpay.daily_totals AS
SELECT account, sub_merchant_number, day, currency,
       sum(payments)::bigint AS payments, sum(paid)::bigint AS paid, sum(refunds)::bigint AS refunds, sum(refunded)::bigint AS refunded,
       (sum(paid) - sum(refunded))::bigint AS net
FROM (
    SELECT account, sub_merchant_number, paid_day AS day, currency, 1 AS payments, total AS paid, 0 AS refunds, 0::bigint AS refunded
    FROM wechatpay.orders WHERE paid
    UNION ALL
    SELECT account, sub_merchant_number, accepted_day, currency, 0, 0, 1, amount
    FROM wechatpay.refunds WHERE accepted_day IS NOT NULL AND state <> 'Closed'
) AS moves
GROUP BY account, sub_merchant_number, day, currency;

-- Refunds that WeChat Pay accepted and whose money is not back yet.
CREATE VIEW wechatpay.refunds_under_way AS
SELECT account, sub_merchant_number, out_refund_no, out_trade_no, namespace, name, reason, currency, amount, state, accepted_time
FROM wechatpay.refunds WHERE state IN ('Processing', 'Abnormal');

COMMENT ON SCHEMA wechatpay IS 'What happened at WeChat Pay, written by wechatpay-operator';
COMMENT ON COLUMN wechatpay.orders.account IS 'Merchant number; with @ and the hosts if they are not WeChat Pay''s own';
COMMENT ON COLUMN wechatpay.orders.total IS 'Minor units of currency: fen';
COMMENT ON COLUMN wechatpay.orders.state IS 'Reason of the condition Paid: Paid, PaidLate, PaidEarlier, PaidUnderOtherParameters, Closed, Expired';
COMMENT ON COLUMN wechatpay.orders.paid_day IS 'Day in Beijing on which WeChat Pay''s bill has the payment';
COMMENT ON COLUMN wechatpay.refunds.amount IS 'Minor units of currency: fen';
COMMENT ON COLUMN wechatpay.refunds.state IS 'Reason of the condition Succeeded: Processing, Abnormal, Succeeded, Closed';
COMMENT ON COLUMN wechatpay.refunds.accepted_day IS 'Day in Beijing on which WeChat Pay''s bill has the refund';
