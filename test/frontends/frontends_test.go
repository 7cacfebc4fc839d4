package frontends

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// protocols says what the Merchant speaks whose orders an example pays: a page hands on the parameters of both.
var protocols = map[string]v1alpha1.Protocol{
	"miniprogram": v1alpha1.ProtocolV3, "taro": v1alpha1.ProtocolV2, "h5": v1alpha1.ProtocolV3,
}

// TestFrontEnds runs the tests of each example against a shop of its own.
func TestFrontEnds(t *testing.T) {
	if missing := missing(); missing != "" {
		if os.Getenv(required) != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	env, err := controlplane.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	storefront := filepath.Join(t.TempDir(), "storefront")
	build := exec.Command("go", "build", "-o", storefront, "./examples/storefront")
	build.Dir = controlplane.Root()
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	pages := configured(t)
	for _, example := range examples {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			shop := open(t, env, protocols[example], storefront, pages)
			tests := exec.CommandContext(t.Context(), "npm", "test", "--silent")
			tests.Dir = folderOf(example)
			tests.Env = append(os.Environ(), shop.environment()...)
			output, err := tests.CombinedOutput()
			if err != nil {
				t.Errorf("npm test in examples/%s: %v\n%s", example, err, output)
			}
			shop.NoViolations()
		})
	}
}

// configured copies the build of examples/h5, with the appid of the test's official account.
func configured(t *testing.T) string {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(folderOf("h5"), "dist"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "config.json")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]string
	if err := json.Unmarshal(content, &config); err != nil {
		t.Fatal(err)
	}
	config["officialAccount"] = officialAppID
	if content, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
