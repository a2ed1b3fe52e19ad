package activemq_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/activemq"
	"millrace/connectors/activemq/activemqtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := activemqtest.StopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func plugin(kind connectors.Kind) connectors.Plugin {
	for _, p := range activemq.Plugins() {
		if p.Kind == kind {
			return p
		}
	}
	panic("no plugin of kind " + kind)
}

var source, sink = plugin(connectors.KindSource), plugin(connectors.KindSink)

// merge returns the entries of maps; later ones win.
func merge(maps ...map[string]string) map[string]string {
	all := make(map[string]string)
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
