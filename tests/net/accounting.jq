# SPDX-License-Identifier: BSD-3-Clause
# accounting.jq - the numbers of accounting.sh, and what they must come to.

def sum(f): map(f) | add // 0;

# numbers_of(ZERO): every number that is compared, and no other. `cables` and what BPF saw only where there is a beginning to
# count from: a router that was started under traffic has missed some of what its hosts sent.
def cable($raw; $zero; $i):
  ($raw.cables[$i]) as $host
  | ($raw.links[] | select(.ifname == $host.plug)) as $plug
  | {sent: $host.stats64.tx.packets, got: $host.stats64.rx.packets, refused: $plug.stats64.tx.dropped};

def minus($a; $b): $a | with_entries(.value -= $b[.key]);

def numbers_of($zero):
  . as $raw
  | ($zero.cables != null) as $outside
  | [.ports[] | select(.parent == null)] as $ports
  | {
      accounting: (.accounting | del(.difference)),
      ports: [
        range($ports | length) as $i
        | $ports[$i]
        | {rx: .rx_packets, tx: .tx_packets}
          + (if .xdp then {driver: .hw.rx_packets, redirected: .xdp.redirected, lost: .xdp.lost} else {} end)
          + (if .xdp and $outside then {kept_back: (.xdp.dropped + .xdp.no_socket)} else {} end)
          + (if $outside and $i < ($raw.cables | length) then
               minus(cable($raw; $zero; $i); cable($zero; {}; $i))
               + {before: ($zero.ports[$i] | {rx: .rx_packets, tx: .tx_packets, lost: (.xdp.lost // 0), kept_back: ((.xdp.dropped // 0) + (.xdp.no_socket // 0))})}
             else {} end)
      ],
      drops: ([.drops[] | select(.packets > 0) | {(.reason): .packets}] | add // {}),
      classes: [.classes[] | select(.packets > 0) | {packets, policed, full}],
      twins: [
        .twins[] | select(.twin.state != "none")
        | .twin.name as $name
        | {delivered, failed, received, oversized: (.oversized // 0)}
          + ($raw.links[] | select(.ifname == $name) | {kernel_got: .stats64.rx.packets, kernel_sent: .stats64.tx.packets})
      ]
    };

def same($what; $a; $b): if $a == $b then empty else "\($what): \($a) and \($b)" end;

# disagreements: a line each.
def port_disagreements:
  if .redirected != null then
    same("AF_XDP, redirected = received + lost"; .redirected; .driver + .lost),
    same("AF_XDP, received by the driver = by workers"; .driver; .rx)
  else empty end,
  if .sent != null then
    same("frames that the host sent = received + lost + kept back by BPF"; .sent;
      .rx + (.lost // 0) + (.kept_back // 0) - .before.rx - .before.lost - .before.kept_back),
    same("frames sent = that the host got + that its cable refused"; .tx - .before.tx; .got + .refused)
  else empty end;

def disagreements:
  same("rx + from_host + originated = tx + to_host + dropped + queued";
    .accounting | .rx + .from_host + .originated; .accounting | .tx + .to_host + .dropped + .queued),
  same("received by all ports"; .accounting.rx; .ports | sum(.rx)),
  same("sent by all ports"; .accounting.tx; .ports | sum(.tx)),
  same("dropped, by reasons"; .accounting.dropped; [.drops[]] | add // 0),
  same("to the host, by classes"; .accounting.to_host; .classes | sum(.packets - .policed - .full)),
  same("policed"; .drops.host_policed // 0; .classes | sum(.policed)),
  same("for a full queue"; .drops.host_full // 0; .classes | sum(.full)),
  same("to the host = by twins"; .accounting.to_host; .twins | sum(.delivered + .failed)),
  same("from the host = by twins"; .accounting.from_host; .twins | sum(.received)),
  (.twins[] | same("handed to a twin = that its kernel got"; .delivered; .kernel_got)),
  (.twins[] | same("from a twin + too large for its port = that its kernel sent"; .received + .oversized; .kernel_sent)),
  (.ports | to_entries[] | .key as $i | .value | port_disagreements | "port \($i): \(.)");

# unnoticed: paths of numbers that may be one more without a disagreement.
def unnoticed:
  . as $numbers
  | paths(type == "number") as $path
  | select(([$numbers | setpath($path; getpath($path) + 1) | disagreements] | length) == 0)
  | $path;

def summary:
  (.accounting | "\(.rx) received + \(.from_host) from the host + \(.originated) originated = \(.tx) sent + \(.to_host) to the host + "
    + "\(.dropped) dropped + \(.queued) queued")
  + (if any(.ports[]; .sent != null) then ", as the hosts counted" else "" end)
  + (if any(.ports[]; .redirected != null) then
       "; BPF redirected \(.ports | sum(.redirected // 0)), lost \(.ports | sum(.lost // 0))" else "" end);
