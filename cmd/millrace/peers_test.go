package main_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// need skips the test out loud if what it talks to is not installed; in a full run (CI is set) that is a failure.
func need(t *testing.T, what string, found bool) {
	t.Helper()
	switch {
	case found:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is missing; run: make peers", what)
	default:
		t.Skipf("%s is missing; run: make peers", what)
	}
}

func installed(command string) bool {
	_, err := exec.LookPath(command)
	return err == nil
}

// cached returns a path under .cache, where make peers puts what no package manager installs.
func cached(t *testing.T, elements ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", ".cache"}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(path)
	need(t, path, err == nil)
	return path
}

// A tool is a program to run with fixed leading arguments.
type tool struct {
	args []string
	env  []string
}

// kafkaTool runs a class of Apache Kafka's own tools.
func kafkaTool(t *testing.T, class string) tool {
	t.Helper()
	need(t, "java", installed("java"))
	libs := cached(t, "kafka")
	return tool{args: []string{
		"java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
		"-cp", filepath.Join(libs, "*"), "org.apache.kafka.tools." + class,
	}}
}

func nodeTool(t *testing.T, script string) tool {
	t.Helper()
	need(t, "node", installed("node"))
	return tool{args: []string{"node", script}, env: []string{"NODE_PATH=" + cached(t, "npm", "node_modules")}}
}

func plainTool(t *testing.T, name string) tool {
	t.Helper()
	need(t, name, installed(name))
	return tool{args: []string{name}}
}

const toolTimeout = 2 * time.Minute

// run runs the tool to its end and returns its standard output; a failure shows all that it said.
func (c tool) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := c.try(t, stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c tool) try(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	all := append(append([]string{}, c.args...), args...)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), errors.Join(err, ctx.Err(), errors.New(strings.Join(args, " ")+"\n"+out.String()+errs.String()))
	}
	return out.String(), nil
}

// numbers returns the lines 0 to n-1.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(itoa(i) + "\n")
	}
	return b.String()
}
