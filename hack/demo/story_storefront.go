package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// payer is who buys in the shop's mini program.
const payer = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

// showStorefront buys something in the shop, as the pages of its mini program do.
func (d *demo) showStorefront(ctx context.Context) error {
	if err := d.startStorefront(ctx); err != nil {
		return err
	}
	if err := awaitOK(ctx, "http://"+d.storefrontHealth+"/readyz"); err != nil {
		return err
	}
	code, err := d.weixin.Login(ctx, appID, payer)
	if err != nil {
		return err
	}
	d.console.say("A mini program's page logs in with the code of wx.login, which the shop exchanges at WeChat:")
	page := &storefrontPage{demo: d}
	var login struct{ Token string }
	if err := page.call(ctx, http.MethodPost, "/login", map[string]any{"code": code}, &login); err != nil {
		return err
	}
	page.token = login.Token
	if err := page.call(ctx, http.MethodGet, "/catalog", nil, nil); err != nil {
		return err
	}
	d.console.say("A basket becomes an Order, at the catalogue's price, whatever the page says; clicked twice, it is the same Order:")
	basket := map[string]any{"id": "soap", "num": 2, "basket": "b-1", "price": 1}
	var first, second struct {
		OrderNumber string
		PayInfo     simulator.ClientPayment
	}
	if err := page.call(ctx, http.MethodPost, "/createdOrder", basket, &first); err != nil {
		return err
	}
	if err := page.call(ctx, http.MethodPost, "/createdOrder", basket, &second); err != nil {
		return err
	}
	if err := expect("the second click", second.OrderNumber, first.OrderNumber); err != nil {
		return err
	}
	order, err := d.order(ctx, first.OrderNumber)
	if err != nil {
		return err
	}
	if err := expect("the price of two pieces", order.Spec.Amount.Total, 202); err != nil {
		return err
	}
	d.console.say("The page passes payInfo to wx.requestPayment; WeChat verifies its signature before the payer pays.")
	payment, err := d.wechat.RequestPayment(ctx, first.PayInfo, simulator.PayOptions{})
	if err != nil {
		return err
	}
	if err := d.confirmPaid(ctx, order, payment); err != nil {
		return err
	}
	return page.awaitPaid(ctx, first.OrderNumber)
}

// storefrontPage is a page at the payer's.
type storefrontPage struct {
	demo  *demo
	token string
}

// call prints a request as curl would make it, and its answer, which must have code 0.
func (p *storefrontPage) call(ctx context.Context, method, path string, body, into any) error {
	content := []byte{}
	words := []string{"curl", "http://" + p.demo.storefront + path}
	if p.token != "" {
		words = append(words, "-H", "Authorization: Bearer TOKEN")
	}
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
		words = append(words, "-d", string(content))
	}
	p.demo.console.command(words...)
	answer, err := p.send(ctx, method, path, content)
	if err != nil {
		return err
	}
	shown := answer
	if len(shown) > 400 {
		shown = shown[:400] + "..."
	}
	p.demo.console.output(shown)
	var code struct{ Code *int }
	if err := json.Unmarshal([]byte(answer), &code); err != nil || code.Code == nil || *code.Code != 0 {
		return &mismatch{what: method + " " + path, expected: `"code":0`, got: answer}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal([]byte(answer), into)
}

func (p *storefrontPage) send(ctx context.Context, method, path string, body []byte) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+p.demo.storefront+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return strings.TrimSpace(string(answer)), err
}

// awaitPaid waits until the shop shows the payment, which its watch may see a moment later.
func (p *storefrontPage) awaitPaid(ctx context.Context, number string) error {
	path := "/orders/" + number
	err := await(ctx, "the shop's page of "+number, func(ctx context.Context) (bool, string, error) {
		answer, err := p.send(ctx, http.MethodGet, path, nil)
		return strings.Contains(answer, `"state":"Paid"`), answer, err
	})
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return p.call(ctx, http.MethodGet, path, nil, nil)
}
