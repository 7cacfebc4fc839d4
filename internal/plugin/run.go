package plugin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/words"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// fieldManager is the plugin's name in managedFields.
const fieldManager = "kubectl-wechatpay"

// Env is the environment of the process.
type Env struct {
	Streams genericiooptions.IOStreams
	// Getenv reads LC_ALL, LC_MESSAGES and LANG, which select the language. os.Getenv by default.
	Getenv func(string) string
	// Now and Location are the clock and the time zone of the output; the machine's by default.
	Now      func() time.Time
	Location *time.Location
	// Version is the version of the plugin.
	Version string
}

// quiet disables the log of controller-runtime, which otherwise prints a warning to stderr.
var quiet = sync.OnceFunc(func() { log.SetLogger(logr.Discard()) })

// Run executes the command with arguments and returns its exit code.
func Run(ctx context.Context, args []string, env Env) int {
	quiet()
	if env.Getenv == nil {
		env.Getenv = os.Getenv
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Location == nil {
		env.Location = time.Local
	}
	p := &plugin{
		Env: env, printer: newPrinter(words.Of(env.Getenv), env.Streams, env.Location),
		flags:    genericclioptions.NewConfigFlags(true).WithWarningPrinter(env.Streams),
		printing: genericclioptions.NewPrintFlags("").WithTypeSetter(scheme),
	}
	root := p.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := codeOf(err)
	if err != nil {
		said := cleanLines(err.Error())
		if code != ExitDeclined && code != ExitUnexpected { // these are answers, not errors
			said = p.text("Error: %s", "") + said
		}
		fmt.Fprintln(env.Streams.ErrOut, said)
	}
	return code
}

// cleanLines cleans a text that may have several lines.
func cleanLines(message string) string {
	all := strings.Split(message, "\n")
	for i := range all {
		all[i] = text.Clean(all[i])
	}
	return strings.Join(all, "\n")
}

var scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
}

// plugin is one execution of the command.
type plugin struct {
	Env
	*printer
	flags    *genericclioptions.ConfigFlags
	printing *genericclioptions.PrintFlags

	config    *rest.Config
	namespace string
	client    client.WithWatch
}

func (p *plugin) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-wechatpay",
		Short: p.text("Approve refunds, show orders and QR codes, and check an installation of the wechatpay-operator"),
		Long: p.text("Approve refunds, show orders and QR codes, and check an installation of the wechatpay-operator.\n\n" +
			"It works with your own rights at the API server, and writes only what a command says."),
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl wechatpay"},
		SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs,
	}
	root.SetIn(p.Streams.In)
	root.SetOut(p.Streams.Out)
	root.SetErr(p.Streams.ErrOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return p.usagef("%s", err) })
	p.flags.AddFlags(root.PersistentFlags())
	root.AddCommand(p.decide(approving), p.decide(denying), p.qr(), p.describe(), p.pay(), p.statement(), p.doctor(), p.version())
	root.RunE = func(command *cobra.Command, args []string) error {
		if len(args) > 0 {
			return p.usagef("There is no command %s.", args[0])
		}
		return command.Help()
	}
	root.InitDefaultCompletionCmd()
	_ = root.RegisterFlagCompletionFunc("namespace", p.complete(p.namespaces))
	_ = root.RegisterFlagCompletionFunc("context", p.complete(p.contexts))
	return root
}

// exactly is cobra.ExactArgs with a message in the printer's language.
func (p *plugin) exactly(count int) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) != count {
			return p.usagef("Usage: %s", "kubectl wechatpay "+command.Use)
		}
		return nil
	}
}

// connect makes the client from the flags and the kubeconfig.
func (p *plugin) connect() error {
	if p.client != nil {
		return nil
	}
	config, err := p.flags.ToRESTConfig()
	if err != nil {
		return p.failf(ExitFailure, "The kubeconfig cannot be used: %s", err)
	}
	config.UserAgent = fieldManager + "/" + p.Version
	config.QPS = -1
	config.WarningHandler = warnings{p.printer}
	if p.namespace, _, err = p.flags.ToRawKubeConfigLoader().Namespace(); err != nil {
		return p.failf(ExitFailure, "The kubeconfig cannot be used: %s", err)
	}
	opened, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return p.explain(err)
	}
	p.config, p.client = config, opened
	return nil
}

// warnings prints the API server's warnings.
type warnings struct{ printer *printer }

func (w warnings) HandleWarningHeader(code int, _ string, message string) {
	if code == 299 && message != "" {
		w.printer.notef("Warning: %s", message)
	}
}

// wide reports whether -o wide was given, and machine whether the output is for programs.
func (p *plugin) wide() bool { return *p.printing.OutputFormat == "wide" }
func (p *plugin) machine() bool {
	return *p.printing.OutputFormat != "" && *p.printing.OutputFormat != "wide"
}

// outputFlag adds -o to a command.
func (p *plugin) outputFlag(command *cobra.Command) {
	p.printing.AddFlags(command)
	flag := command.Flags().Lookup("output")
	flag.Usage = p.text("Output format: %s.", "wide|"+strings.Join(p.printing.AllowedFormats(), "|"))
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(append([]string{"wide"},
		p.printing.AllowedFormats()...), cobra.ShellCompDirectiveNoFileComp))
}

// ready checks the output format and then connects.
func (p *plugin) ready() error {
	if p.machine() {
		if _, err := p.printing.ToPrinter(); err != nil {
			return p.usagef("%s", err)
		}
	}
	return p.connect()
}

// get reads an object in the chosen namespace.
func (p *plugin) get(ctx context.Context, kind, name string, into client.Object) error {
	err := p.client.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: name}, into)
	return p.notFound(err, kind, p.namespace, name)
}

// list lists the objects in the chosen namespace.
func (p *plugin) list(ctx context.Context, list client.ObjectList, fields client.MatchingFields) error {
	return p.explain(p.client.List(ctx, list, client.InNamespace(p.namespace), fields))
}

// createOrGet creates an object, or reads the existing one with its name.
func (p *plugin) createOrGet(ctx context.Context, kind string, object client.Object) (created bool, err error) {
	err = p.client.Create(ctx, object, client.FieldOwner(fieldManager))
	if apierrors.IsAlreadyExists(err) {
		return false, p.get(ctx, kind, object.GetName(), object)
	}
	return err == nil, p.explain(err)
}

// print writes an object in the requested format.
func (p *plugin) print(object runtime.Object) error {
	printer, err := p.printing.ToPrinter()
	if err != nil {
		return p.usagef("%s", err)
	}
	var output bytes.Buffer
	if err := (&printers.OmitManagedFieldsPrinter{Delegate: printer}).PrintObj(object, &output); err != nil {
		return err
	}
	_, err = p.Streams.Out.Write(harmless(output.Bytes(), *p.printing.OutputFormat == "json"))
	return err
}
