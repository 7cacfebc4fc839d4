-- +goose Up

-- Which of two rows of one object is the newer one, where their states are of the same time.
ALTER TABLE wechatpay.orders ADD COLUMN revision bigint NOT NULL DEFAULT 0;
ALTER TABLE wechatpay.refunds ADD COLUMN revision bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN wechatpay.orders.revision IS 'resourceVersion of the object';
COMMENT ON COLUMN wechatpay.refunds.revision IS 'resourceVersion of the object';

-- What WeChat was told about the delivery of an order. WeChat gives it no number, so it goes by its name beside the order's number.

CREATE TABLE wechatpay.shipments (
    account            text        NOT NULL,
    out_trade_no       text        NOT NULL,
    name               text        NOT NULL,
    merchant_number    text        NOT NULL,
    sub_merchant_number text,
    namespace          text        NOT NULL,
    uid                text        NOT NULL,
    order_name         text        NOT NULL,
    logistics          text        NOT NULL,
    complete           boolean     NOT NULL,
    carriers           text[]      NOT NULL,
    tracking_numbers   text[]      NOT NULL,
    items              text[]      NOT NULL,
    state              text        NOT NULL,
    state_time         timestamptz NOT NULL,
    uploaded_time      timestamptz,
    revision           bigint      NOT NULL,
    uploaded_day       date        GENERATED ALWAYS AS ((uploaded_time AT TIME ZONE 'Asia/Shanghai')::date) STORED,
    recorded_time      timestamptz NOT NULL DEFAULT now(),
    changed_time       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, out_trade_no, name)
);

CREATE INDEX shipments_uploaded_day ON wechatpay.shipments (account, uploaded_day);
CREATE INDEX shipments_object ON wechatpay.shipments (namespace, name);
CREATE INDEX shipments_uid ON wechatpay.shipments (uid);

COMMENT ON COLUMN wechatpay.shipments.state IS 'Reason of the condition Uploaded: Uploaded, AlreadyShipped';
COMMENT ON COLUMN wechatpay.shipments.complete IS 'Nothing more comes after this delivery';
COMMENT ON COLUMN wechatpay.shipments.tracking_numbers IS 'One for each parcel, as carriers and items are; empty texts where there is none';
