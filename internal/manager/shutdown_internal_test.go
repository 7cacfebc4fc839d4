package manager

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// leaseRelease is the most that giving the Lease back takes after the shutdown: controller-runtime's default RenewDeadline.
const leaseRelease = 10 * time.Second

// TestShutdownFitsIntoTheGraceOfTheDeployment: whoever is killed before it wrote an answer down leaves a doubt behind.
func TestShutdownFitsIntoTheGraceOfTheDeployment(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "manager", "manager.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(content, &deployment); err != nil {
		t.Fatal(err)
	}
	grace := time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if GracefulShutdown+leaseRelease >= grace {
		t.Errorf("the shutdown takes up to %s, and the Deployment allows %s", GracefulShutdown+leaseRelease, grace)
	}
}
