package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millrace/cmd/internal/restclient"
)

// restFlags are the flags of all commands that talk to a Connect worker.
type restFlags struct {
	url     string
	timeout time.Duration
	out     output
	// user is name:password; the others are PEM files.
	user, cacert, cert, key string

	transport *http.Transport
}

const defaultURL = "http://127.0.0.1:8083"

func (f *restFlags) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVarP(&f.url, "url", "u", cmp.Or(os.Getenv("MILLRACE_URL"), defaultURL), "`address` of the worker's REST API (or MILLRACE_URL)")
	flags.StringVar(&f.user, "user", "", "`name:password` that the worker asks for (or MILLRACE_USER)")
	flags.StringVar(&f.cacert, "cacert", "", "PEM `file` of the authorities to trust in place of the system's (or MILLRACE_CACERT)")
	flags.StringVar(&f.cert, "cert", "", "PEM `file` of the own certificate (or MILLRACE_CERT)")
	flags.StringVar(&f.key, "key", "", "PEM `file` of its key, if that is not in --cert (or MILLRACE_KEY)")
	flags.DurationVar(&f.timeout, "timeout", 90*time.Second, "how long to wait for the worker")
	f.out.register(cmd)
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error { return f.prepare() }
}

// prepare reads what clients need. The environment is not the default of the flags: help would show a password.
func (f *restFlags) prepare() error {
	for name, value := range map[string]*string{"USER": &f.user, "CACERT": &f.cacert, "CERT": &f.cert, "KEY": &f.key} {
		*value = cmp.Or(*value, os.Getenv("MILLRACE_"+name))
	}
	if f.user != "" && !strings.Contains(f.user, ":") {
		return usagef("--user wants name:password")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.cacert != "" {
		pem, err := os.ReadFile(f.cacert)
		if err != nil {
			return usagef("--cacert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return usagef("--cacert %s holds no PEM certificate", f.cacert)
		}
	}
	if f.cert != "" {
		own, err := tls.LoadX509KeyPair(f.cert, cmp.Or(f.key, f.cert))
		if err != nil {
			return usagef("--cert %s, --key %s: %w", f.cert, f.key, err)
		}
		config.Certificates = []tls.Certificate{own}
	} else if f.key != "" {
		return usagef("--key needs --cert")
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return fmt.Errorf("http.DefaultTransport is a %T", http.DefaultTransport)
	}
	f.transport = transport.Clone()
	f.transport.TLSClientConfig = config
	return nil
}

func (f *restFlags) client() *restclient.Client {
	name, password, _ := strings.Cut(f.user, ":")
	return &restclient.Client{URL: f.url, User: name, Password: password, HTTP: &http.Client{Timeout: f.timeout, Transport: f.transport}}
}

// connectorNames completes names of connectors, if the worker answers quickly.
func (f *restFlags) connectorNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	quick := *f
	quick.timeout = completionTimeout
	if err := quick.prepare(); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	if err := quick.client().Get(cmd.Context(), "/connectors", &names); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
