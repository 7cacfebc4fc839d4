package simulator

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// consent is a payer's agreement to messages of one template.
type consent struct{ appID, openID, templateID string }

// Subscribe plays a payer who agrees to one more message of a template.
func (s *Simulator) Subscribe(appID, openID, templateID string) error {
	if !openIDFormat.MatchString(openID) {
		return fmt.Errorf("%w: openid %q", ErrInvalid, openID)
	}
	return s.change(appID, func(a *app) {
		a.user(openID)
		s.consents[consent{appID, openID, templateID}]++
	})
}

type messageRequest struct {
	ToUser           string `json:"touser"`
	TemplateID       string `json:"template_id"`
	Page             string `json:"page"`
	MiniprogramState string `json:"miniprogram_state"`
	Lang             string `json:"lang"`
	Data             map[string]struct {
		Value *string `json:"value"`
	} `json:"data"`
}

// longest are the lengths of arguments by the kind that their name begins with, in characters.
var longest = map[string]int{
	"thing": 20, "number": 32, "letter": 32, "symbol": 5, "character_string": 32, "time": 32, "date": 32,
	"amount": 11, "phone_number": 17, "car_number": 8, "name": 10, "phrase": 5, "const": 20,
}

// sendMessage is POST /cgi-bin/message/subscribe/send.
func (s *Simulator) sendMessage(a *app, body []byte, noted *Call) (any, error) {
	var request messageRequest
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	noted.OpenID = request.ToUser
	at := slices.IndexFunc(a.Templates, func(t Template) bool { return t.ID == request.TemplateID })
	switch {
	case a.users[request.ToUser] == nil:
		return nil, refuse(CodeInvalidOpenID, "invalid openid")
	case at < 0:
		return nil, refuse(CodeInvalidTemplate, "invalid template_id")
	case !slices.Contains([]string{"", "developer", "trial", "formal"}, request.MiniprogramState):
		return nil, refuse(CodeInvalidArgument, "argument invalid! miniprogram_state")
	}
	message := Message{
		Time: s.now(), AppID: a.AppID, OpenID: request.ToUser, TemplateID: request.TemplateID, Page: request.Page, Data: map[string]string{},
	}
	for _, key := range a.Templates[at].Keys {
		value := request.Data[key].Value
		limit := longest[strings.TrimRight(key, "0123456789")]
		if value == nil || *value == "" || limit > 0 && utf8.RuneCountInString(*value) > limit {
			return nil, refuse(CodeInvalidArgument, "argument invalid! data.%s.value invalid", key)
		}
		message.Data[key] = *value
	}
	agreed := consent{a.AppID, request.ToUser, request.TemplateID}
	if s.consents[agreed] == 0 {
		return nil, refuse(CodeNotSubscribed, "user refuse to accept the msg")
	}
	s.consents[agreed]--
	s.journal.Messages = append(s.journal.Messages, message)
	return nil, nil
}
