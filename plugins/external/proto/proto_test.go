package proto_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"

	"millrace/plugins/external/proto"
)

// The committed Go code is that of the committed plugin.proto.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	set := filepath.Join(t.TempDir(), "set")
	python, err := filepath.Abs("../../../.cache/python/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Python with grpcio-tools: run .ci/install-peers: %v", err)
		}
		t.Skip("SKIPPED: no protoc in .cache/python; run make peers")
	}
	protoc := exec.CommandContext(t.Context(), python, "-m", "grpc_tools.protoc", "-I", ".", "--descriptor_set_out="+set, "plugin.proto")
	if out, err := protoc.CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, out)
	}
	data, err := os.ReadFile(set)
	if err != nil {
		t.Fatal(err)
	}
	var want descriptorpb.FileDescriptorSet
	if err := pb.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	got := protodesc.ToFileDescriptorProto(proto.File_plugin_proto)
	if diff := cmp.Diff(want.GetFile()[0], got, protocmp.Transform()); diff != "" {
		t.Errorf("plugin.proto has changed: run go generate ./plugins/external/proto (-want +got):\n%s", diff)
	}
}
