package kafkatest

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A Connect is a running distributed worker of Kafka Connect, with the connectors of FileStream.
type Connect struct {
	// Addr is where its REST API answers.
	Addr string
	proc *process
	t    testing.TB
}

// StartConnect starts a worker with the topics connect-configs, connect-offsets and connect-status, and the group name, and waits until
// it answers. settings are pairs of key and value for its file.
func (k *Kafka) StartConnect(group string, settings ...string) *Connect {
	k.t.Helper()
	c := &Connect{Addr: freePorts(k.t, 1)[0], t: k.t}
	const text = "org.apache.kafka.connect.storage.StringConverter"
	props := map[string]string{
		"bootstrap.servers": k.addr, "group.id": group, "listeners": "http://" + c.Addr,
		"key.converter": text, "value.converter": text, "offset.flush.interval.ms": "200",
		"config.storage.topic": "connect-configs", "offset.storage.topic": "connect-offsets", "status.storage.topic": "connect-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "3", "status.storage.partitions": "1", "plugin.discovery": "service_load",
	}
	for i := 0; i+1 < len(settings); i += 2 {
		props[settings[i]] = settings[i+1]
	}
	file := write(k.t, filepath.Join(k.dir, group+".properties"), props)
	c.proc = start(k.t, java(k.t, k.dir, k.jvm("-Xms256M", "-Xmx2G"), "org.apache.kafka.connect.cli.ConnectDistributed", file))
	c.proc.await(k.t, "Kafka Connect", func() bool {
		var names []string
		return c.Get("/connectors", &names)
	})
	return c
}

// Get asks the REST API; false: the answer is not 200.
func (c *Connect) Get(path string, into any) bool {
	c.t.Helper()
	resp, err := http.Get("http://" + c.Addr + path)
	if err != nil {
		return false
	}
	return c.answer(resp, into)
}

// Put puts a connector's configuration.
func (c *Connect) Put(name string, config map[string]string) {
	c.t.Helper()
	body, err := json.Marshal(config)
	check(c.t, err)
	c.put("/connectors/"+name+"/config", string(body))
}

// Resume resumes a connector.
func (c *Connect) Resume(name string) {
	c.t.Helper()
	c.put("/connectors/"+name+"/resume", "")
}

// put repeats a request as long as it is refused: 409 while the group rebalances.
func (c *Connect) put(path, body string) {
	c.t.Helper()
	c.proc.await(c.t, "PUT "+path+" to Kafka Connect", func() bool {
		req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPut, "http://"+c.Addr+path, strings.NewReader(body))
		check(c.t, err)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		return err == nil && c.answer(resp, nil)
	})
}

func (c *Connect) answer(resp *http.Response, into any) bool {
	c.t.Helper()
	data, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil || resp.StatusCode >= 300 {
		return false
	}
	return into == nil || json.Unmarshal(data, into) == nil
}

// Stop stops the worker as an operator does: its tasks commit.
func (c *Connect) Stop() {
	c.t.Helper()
	http.DefaultClient.CloseIdleConnections()
	c.proc.stop(c.t, terminate)
}

// Kill ends the worker without a goodbye.
func (c *Connect) Kill() {
	c.t.Helper()
	c.proc.stop(c.t, syscall.SIGKILL)
}

// Pid is the worker's process.
func (c *Connect) Pid() int { return c.proc.cmd.Process.Pid }

// Log returns what the worker has said.
func (c *Connect) Log() string { return c.proc.out.String() }
