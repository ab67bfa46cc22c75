/**
 * `--format` of the docker CLI and of thimble's, asked of one engine: the same exit status and the
 * same output for each template.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { inProcess } from "../support/in-process-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

const listings: Readonly<Record<string, readonly string[]>> = {
  "ps -a": [
    "{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.CreatedAt}}",
    "{{.State}}|{{.Ports}}|{{.Size}}|{{.Networks}}|{{.LocalVolumes}}|{{.Mounts}}",
    '{{.Labels}} {{.Label "tier"}} {{.Label "absent"}}',
    "{{json .Names}} {{json .Labels}} {{json .Ports}}",
    "{{.Platform}}",
    "table {{.Names}}\t{{.Image}}",
    'table {{.ID}} {{.Names}} {{.Label "tier"}}',
    'table {{.Names}}\\t{{.State}}\\t{{.Label "tier"}}',
    "{{.Names}}\\n{{.State}}",
    "{{upper .Names}} {{lower .Image}} {{title .State}}",
    '{{join (split .Names "-") "/"}} {{truncate .ID 4}} {{pad .State 1 2}}|',
    '{{if eq .State "running"}}up{{else}}down{{end}} {{.Names}}',
    '{{with .Label "tier"}}{{.}}{{else}}-{{end}}',
    '{{range split .Labels ","}}[{{.}}]{{end}}',
    '{{len .Names}} {{printf "%-12s|%q|%v" .State .Names .Image}}',
    "{{println .Names .State}}",
    "{{.Names}}{{/* a comment */}}",
    'table {{.Names}}\\t{{if eq .State "running"}}up{{else}}down{{end}}',
    '{{range $i, $p := split .Ports ", "}}{{$p}}|{{end}}',
    "table {{.Image}}\\t{{.State}} and\\t{{.Networks}}",
    "  {{- .Names -}}  x",
    '{{$n := .Names}}{{$n}}{{if and (ne .State "running") .Names}}!{{end}}',
    '{{.ID | printf "%.3s"}}',
    "{{.Nothing}}",
    "{{.ID",
    "{{nothing .ID}}",
    "{{len .Absent}}",
    "{{.Label}}",
    "{{.ID.X}}",
    "{{index .Names 0}}",
    '{{not .Names}} {{or .Labels "none"}} {{and .Names .State}}',
    '{{html "<a>"}} {{js "\'x\'"}} {{urlquery "a b"}} {{print 1 2 "x"}}',
    '{{define "t"}}<{{.Names}}>{{end}}{{template "t" .}}',
    '{{range $i, $e := split .Names "-"}}{{if $i}},{{end}}{{$e}}{{end}}',
    '{{range split .Names "-"}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}',
    '{{range split .Names "-"}}{{if eq . "a"}}{{continue}}{{end}}{{.}};{{end}}',
    '{{eq .State "exited" "running"}} {{lt 1 2}} {{gt 1 2}} {{ge 2 2}} {{le 3 2}}',
    '{{`raw`}} {{\'a\'}} {{1.5}} {{true}} {{"\\u0041\\""}} {{0x10}}',
    '{{printf "%5d|%-5d|%05d|%x|%t|%c|%s" 42 42 42 255 true 65 "s"}}',
    '{{printf "%d" "text"}} {{printf "%s"}} {{printf "%s" 1 2}}',
    "{{with $x := .State}}{{$x}}{{end}}",
    '{{if .Label "absent"}}a{{else if .Label "tier"}}b{{else}}c{{end}}',
  ],
  "ps -a --no-trunc": ["{{.ID}} {{.Command}} {{.Image}}", "table {{.ID}}\t{{.Command}}"],
  "ps -aq": ["{{.Names}}"],
  images: [
    "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}} {{.CreatedAt}}",
    "{{.Digest}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}}",
    "{{json .Repository}} {{json .Size}}",
    "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Size}}",
    "table {{.ID}}\t{{.CreatedAt}}",
    "{{upper .Tag}}",
    "{{.Nothing}}",
  ],
  "images --digests": ["{{.Repository}} {{.Digest}}", "table {{.Repository}}\t{{.Digest}}"],
  "network ls": [
    "{{.ID}} {{.Name}} {{.Driver}} {{.Scope}}",
    "{{.IPv4}} {{.IPv6}} {{.Internal}} {{.Labels}} {{.CreatedAt}}",
    '{{.Name}} {{.Label "tier"}}',
    "table {{.Name}}\t{{.Driver}}\t{{.Internal}}",
    "{{json .Name}}",
    "json",
    "table",
  ],
  "network ls --no-trunc": ["{{.ID}}"],
  "volume ls": [
    "{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}}",
    '{{.Labels}} {{.Label "tier"}}',
    "{{.Links}} {{.Size}} {{.Status}} {{.Availability}} {{.Group}}",
    "table {{.Name}}\t{{.Mountpoint}}",
    "table",
  ],
  "search localhost:PORT/term": [
    "{{.Name}} {{.Description}} {{.StarCount}} {{.IsOfficial}} {{.IsAutomated}}",
    "table {{.Name}}\t{{.IsOfficial}}",
    "json",
  ],
  "history --no-trunc IMAGE": [
    "{{.ID}} {{.CreatedBy}} {{.Size}} {{.Comment}} {{.CreatedAt}}",
    "{{json .Comment}}",
    "table {{.ID}}\t{{.Size}}",
  ],
  "history -H=false IMAGE": ["{{.ID}} {{.Size}} {{.CreatedSince}}"],
  "system df": ["{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}", "table {{.Type}}\t{{.Size}}"],
  "system df -v": ["{{range .Volumes}}{{.Name}} {{.Links}} {{.Size}};{{end}}", "{{len .Images}}"],
  "stats --no-stream NAME": ["{{.Name}} {{.ID}} {{.Container}}", "table {{.Name}}\t{{.Container}}"],
  "events --since 0 --until UNTIL --filter type=container --filter container=NAME": [
    "{{.Type}} {{.Action}} {{.ID}}",
    "{{.Actor.ID}} {{.Actor.Attributes.name}} {{.Time}} {{.TimeNano}} {{.Scope}}",
    "{{.Status}} {{.From}}",
    '{{index .Actor.Attributes "image"}} {{.Actor.Attributes.absent}}',
    "{{json .Actor}}",
    "json",
  ],
};

const objects: Readonly<Record<string, readonly string[]>> = {
  "inspect NAME": [
    "{{.Id}} {{.Name}} {{.Image}} {{.Path}} {{.Args}} {{.Created}}",
    "{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Pid}} {{.State.StartedAt}}",
    "{{json .State}}",
    "{{json .Config}}",
    "{{json .HostConfig}}",
    "{{json .NetworkSettings}}",
    "{{json .Mounts}}",
    "{{.Config.Env}} {{.Config.Cmd}} {{.Config.Entrypoint}} {{.Config.Labels}}",
    "{{.HostConfig.Binds}} {{.HostConfig.PortBindings}} {{.HostConfig.RestartPolicy.Name}}",
    "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.ShmSize}}",
    "{{range .Config.Env}}{{println .}}{{end}}",
    '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}{{index .Config.Labels "tier"}}',
    '{{index .Config.Labels "absent"}}|{{.Config.Labels.tier}}|{{.Config.Labels.absent}}',
    "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}} {{.MacAddress}}{{end}}",
    "{{range $n, $c := .NetworkSettings.Networks}}{{$n}} {{$c.NetworkID}}{{end}}",
    "{{.NetworkSettings.Networks.bridge.IPAddress}} {{.NetworkSettings.IPAddress}}",
    '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}',
    "{{range $p, $c := .NetworkSettings.Ports}}{{$p}}->{{(index $c 0).HostPort}}{{end}}",
    "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}",
    "{{if .State.Health}}{{.State.Health.Status}}{{else}}no health check{{end}}",
    "{{with .State.Health}}x{{else}}y{{end}}",
    "{{.State.Health.Status}}",
    "{{.Nothing}}",
    "{{.Config.Nothing}}",
    '{{or .Config.Domainname "none"}} {{and .Config.Tty .Config.Image}} {{not .Config.Tty}}',
    "{{len .Config.Env}} {{len .Mounts}} {{len .Name}}",
    '{{join .Config.Cmd " "}} {{join .Config.Env ","}}',
    '{{printf "%s %d %v %t" .Name .State.ExitCode .Config.Cmd .State.Running}}',
    "{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Config}} {{.Driver}} {{.Platform}}",
    "{{.HostConfig.CapAdd}} {{.HostConfig.Dns}} {{.HostConfig.DnsOptions}} {{.ExecIDs}}",
    "{{.HostConfig.Links}} {{.HostConfig.ExtraHosts}} {{.HostConfig.Devices}}",
    "{{.SizeRw}}",
    "{{if .Nothing}}a{{else}}b{{end}}",
    "{{with .Nothing}}a{{else}}b{{end}}",
    '{{eq .State.ExitCode 0}} {{ne .State.Status "exited"}} {{lt .State.ExitCode 5}}',
    '{{eq .State.ExitCode "0"}}',
    "{{slice .Id 0 12}} {{index .Config.Env 0}} {{index .Args 0}}",
    "{{index .Config.Env 99}}",
    "{{json .Nothing}}",
    "{{.State}}",
    "{{.Config.ExposedPorts}} {{.Config.Volumes}}",
    "{{.Config.Healthcheck}} {{.Config.OnBuild}}",
    "{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Interval}} {{.Config.Healthcheck.Timeout}}",
    "{{.NetworkSettings.Networks.absent.IPAddress}}",
    '{{with index .NetworkSettings.Networks "bridge"}}{{.Gateway}}{{end}}',
    "{{.Mounts}}",
    '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}:{{.Destination}}{{end}}{{end}}',
    "{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}",
    "{{range $p, $conf := .NetworkSettings.Ports}} {{$p}} -> {{(index $conf 0).HostPort}} {{end}}",
    "{{range $k, $v := .NetworkSettings.Ports}}{{range $v}}{{.HostIp}}:{{.HostPort}}{{end}}{{end}}",
    "{{range .Config.Env}}{{if gt (len .) 2}}{{.}};{{end}}{{end}}",
    '{{range .Config.Env}}{{$p := split . "="}}{{if eq (index $p 0) "MODE"}}{{index $p 1}}{{end}}{{end}}',
    '{{index .Config.Labels "tier" | printf "%s!"}} {{.RestartCount}} {{.LogPath}}',
    "{{.State.FinishedAt}} {{.HostConfig.NetworkMode}} {{.HostConfig.Privileged}}",
    "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}",
    "{{.Config.Hostname}}.{{.Config.Domainname}} {{.Config.User}}|{{.Config.WorkingDir}}",
    "{{.GraphDriver.Name}} {{.GraphDriver.Data.MergedDir}} {{.AppArmorProfile}}",
    "{{json .Config.ExposedPorts}} {{json .Config.Volumes}} {{json .HostConfig.PortBindings}}",
    "{{len .NetworkSettings.Networks}} {{len .HostConfig.Binds}} {{.HostConfig.LogConfig}}",
    "json",
    "",
  ],
  "inspect NAME IMAGE NETWORK": ["{{.Id}}", "{{.Id}} {{.State.Status}}", "{{.Nothing}}"],
  "inspect --size NAME": ["{{.SizeRw}} {{.SizeRootFs}}"],
  "inspect --type container NAME absent": ["{{.Name}}"],
  "inspect absent": ["{{.Id}}", ""],
  "container inspect NAME OTHER": ["{{.Name}}", "json"],
  "image inspect IMAGE": [
    "{{.Id}} {{.RepoTags}} {{.RepoDigests}} {{.Size}} {{.Os}}/{{.Architecture}}",
    "{{json .Config}}",
    "{{range .RootFS.Layers}}{{.}}{{end}} {{.RootFS.Type}}",
    "{{.Config.Env}} {{.Config.Cmd}} {{.Config.Entrypoint}} {{.Config.Labels}}",
    "{{.Comment}} {{.Author}} {{.Parent}} {{.DockerVersion}} {{.Metadata.LastTagTime}}",
    '{{index .RepoTags 0}} {{join .RepoTags ","}}',
    "json",
    "",
  ],
  "network inspect NETWORK": [
    "{{.Name}} {{.Id}} {{.Driver}} {{.Internal}} {{.EnableIPv6}} {{.Attachable}}",
    "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}",
    "{{json .IPAM}} {{json .Labels}} {{json .Options}} {{json .Containers}}",
    "{{range $id, $c := .Containers}}{{$id}} {{$c.Name}}{{end}}",
    "{{.Labels.tier}} {{.Options}} {{.Created}}",
    '{{(index .IPAM.Config 0).Subnet}} {{index .Labels "tier"}} {{.ConfigOnly}} {{.Ingress}}',
    "json",
    "",
  ],
  "volume inspect VOLUME": [
    "{{.Name}} {{.Driver}} {{.Mountpoint}} {{.Scope}} {{.Labels}} {{.Options}} {{.CreatedAt}}",
    "{{json .}}",
    "{{.Labels.tier}} {{.Status}}",
    "",
  ],
  version: [
    "{{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}}",
    "{{.Server.GitCommit}} {{.Server.Arch}} {{.Server.KernelVersion}} {{.Server.BuildTime}}",
    "{{range .Server.Components}}{{.Name}} {{.Version}} {{end}}",
    "{{.Client.Os}} {{.Client.Arch}}",
    "{{.Server.Platform.Name}} {{.Server.Experimental}} {{.Client.Context}}",
    "{{json .Server.Components}}",
    "{{.Server.Nothing}}",
    "{{.Server}}",
    "{{(index .Server.Components 0).Details.ApiVersion}} {{index .Server.Components 0}}",
  ],
  info: [
    "{{.ID}} {{.Containers}} {{.ContainersRunning}} {{.Images}} {{.Driver}} {{.Name}}",
    "{{.NCPU}} {{.MemTotal}} {{.OperatingSystem}} {{.OSType}} {{.Architecture}} {{.KernelVersion}}",
    "{{.ServerVersion}} {{.CgroupDriver}} {{.CgroupVersion}} {{.DockerRootDir}} {{.LoggingDriver}}",
    "{{range .SecurityOptions}}{{.}} {{end}}{{.Warnings}} {{.DriverStatus}}",
    "{{json .Plugins}} {{json .RegistryConfig}} {{json .Runtimes}} {{.DefaultRuntime}}",
    "{{.Swarm.LocalNodeState}} {{.LiveRestoreEnabled}} {{.HTTPProxy}} {{.Labels}}",
    "{{.ClientInfo.Debug}} {{.ClientInfo.Context}}",
    "{{range $k, $v := .Runtimes}}{{$k}} {{end}}{{.Plugins.Log}} {{json .Swarm}}",
    "{{index .DriverStatus 0}}",
    "{{.Containers}}/{{.ContainersRunning}}/{{.ContainersPaused}}/{{.ContainersStopped}}",
    "{{.Nothing}}",
  ],
};

here("templates [needs docker CLI]", () => {
  let target: DockerTarget;
  let places: Readonly<Record<string, string>> = {};
  const registry = Bun.serve({
    port: 0,
    fetch: () =>
      Response.json({
        num_results: 1,
        query: "term",
        results: [
          { name: "a/term", description: "a long word about it", star_count: 3, is_official: true },
        ],
      }),
  });

  beforeAll(async () => {
    target = await openDockerTarget();
    const { ok } = target;
    const [name, other] = [`${target.name()}-a-b`, target.name()];
    await ok(["network", "create", "--label", "tier=net", "templates"]);
    await ok(["volume", "create", "--label", "tier=vol", "templates"]);
    const labels = ["--label", "tier=web", "--label", "zone=a"];
    const settings = ["-e", "MODE=dark", "-v", "templates:/data", "-p", "127.0.0.1::80"];
    const words = ["-d", "--name", name, ...labels, ...settings, image, "sleep", "1000"];
    await ok(["run", ...words]);
    await ok(["create", "--name", other, "--network", "templates", image]);
    places = {
      ...{ NAME: name, OTHER: other, IMAGE: image, NETWORK: "templates", VOLUME: "templates" },
      ...{ PORT: String(registry.port), UNTIL: String(Date.now() / 1000) },
    };
  }, 600_000);
  afterAll(async () => {
    void registry.stop(true);
    if (places.NAME) await target.docker(["rm", "-f", places.NAME, places.OTHER ?? ""]);
    await target?.docker(["network", "rm", "templates"]);
    await target?.docker(["volume", "rm", "templates"]);
    await target?.[Symbol.asyncDispose]();
  });

  const place = (word: string) => word.replace(/[A-Z]{4,}/g, (name) => places[name] ?? name);

  const rows = Object.entries({ ...listings, ...objects }).flatMap(([command, templates]) =>
    templates.map((template) => [command, template] as const),
  );
  test.each(rows)("%s --format '%s'", async (command, template) => {
    const args = command.split(" ").map(place);
    if (template !== "") args.push("--format", template);
    const [theirs, ours] = await Promise.all([target.docker(args), inProcess(target, args)]);
    const shown = { status: ours.status, stdout: ours.stdout };
    expect(shown).toEqual({ status: theirs.status, stdout: theirs.stdout });
  });
});
