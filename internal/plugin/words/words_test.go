package words_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/words"
)

func TestLanguage(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang string
		want                words.Language
	}{
		{"", "", "", words.English}, {"", "", "zh_CN.UTF-8", words.Chinese}, {"", "", "zh", words.Chinese}, {"", "", "C.UTF-8",
			words.English},
		{"", "zh_TW.UTF-8", "en_US.UTF-8", words.Chinese}, {"en_US.UTF-8", "zh_CN.UTF-8", "zh_CN.UTF-8", words.English}, {"ZH_cn",
			"", "", words.Chinese}, {"C", "", "zh_CN", words.English},
	} {
		got := words.Of(func(name string) string {
			return map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}[name]
		})
		if got != c.want {
			t.Errorf("LC_ALL=%q LC_MESSAGES=%q LANG=%q speaks %s, want %s", c.all, c.messages, c.lang, got, c.want)
		}
	}
}

var verb = regexp.MustCompile(`%(?:\[\d\])?[a-z]`)

// TestTranslationsSayTheSame: each translation has the verbs of its message, with their numbers if the order differs.
func TestTranslationsSayTheSame(t *testing.T) {
	for english, chinese := range words.Messages() {
		one, other := verb.FindAllString(english, -1), verb.FindAllString(chinese, -1)
		slices.Sort(one)
		slices.Sort(other)
		if one, other = slices.Compact(one), slices.Compact(other); !slices.Equal(one, other) {
			t.Errorf("%q has %q, and %q has %q", english, one, chinese, other)
		}
	}
}
