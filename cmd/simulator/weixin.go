package main

import (
	"errors"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixinsimulator "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
)

// weixinSettings are the flags of the simulator of api.weixin.qq.com.
type weixinSettings struct {
	miniPrograms        []weixinsimulator.MiniProgram
	listen, adminListen string
	state               string
	rules               weixinsimulator.Rules
}

func (o *weixinSettings) add(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("want appid:app_secret[:unmanaged] or appid:app_secret:official")
	}
	m := weixinsimulator.MiniProgram{AppID: parts[0], AppSecret: parts[1]}
	if len(parts) == 3 {
		m.Unmanaged, m.OfficialAccount = parts[2] == "unmanaged", parts[2] == "official"
		if !m.Unmanaged && !m.OfficialAccount {
			return errors.New("want unmanaged or official behind the AppSecret")
		}
	}
	o.miniPrograms = append(o.miniPrograms, m)
	return nil
}

// weixinServer is the simulator of api.weixin.qq.com; nil without --mini-program.
type weixinServer struct{ *weixinsimulator.Simulator }

// startWeixin starts it with a certificate of WeChat Pay's authority, so that clients need only one authority.
func startWeixin(wechat *simulator.Simulator, o settings) (*weixinServer, error) {
	if len(o.weixin.miniPrograms) == 0 {
		return nil, nil
	}
	certificate, err := wechat.ServerCertificate(o.ServerNames...)
	if err != nil {
		return nil, err
	}
	weixin, err := weixinsimulator.New(weixinsimulator.Options{
		ListenAddress: o.weixin.listen, AdminListenAddress: o.weixin.adminListen, Certificate: certificate,
		MiniPrograms: o.weixin.miniPrograms, Payments: weixinsimulator.WeChatPay(wechat),
		TimeScale: o.TimeScale, Rules: o.weixin.rules, Logger: o.Logger,
		StateFile: o.weixin.state, FaultSeed: o.FaultSeed,
	})
	return &weixinServer{weixin}, err
}

// addURLs adds its addresses to the printed ones.
func (s *weixinServer) addURLs(urls map[string]string) {
	if s == nil {
		return
	}
	urls["weixin_url"], urls["weixin_admin_url"] = s.URL(), s.AdminURL()
}

// Close stops it.
func (s *weixinServer) Close() {
	if s != nil {
		s.Simulator.Close()
	}
}
