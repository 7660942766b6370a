"""The `akshare` source: live data from public web sites."""

from mystocks_dagster.sources.declaration import HOUR, HostRule, SourceDeclaration

SOURCE = SourceDeclaration(
    name="akshare",
    about="live data from public web sites",
    world="real",
    needs="network",
    offers="see the table's task",
    implementation="mystocks_dagster.sources.akshare.source:AkshareSource",
    package="akshare",
    hosts=("push2delay.eastmoney.com", "datacenter-web.eastmoney.com", "finance.sina.com.cn"),
    # Below every rate at which users report bans; see docs/akshare.md.
    host_rules=(
        HostRule(
            name="eastmoney-push2",
            hosts=("push2.eastmoney.com", "push2his.eastmoney.com"),
            gap=2.5,
            ban=6 * HOUR,
            drops_are_bans=True,
        ),
        HostRule(
            name="eastmoney-push2delay", hosts=("push2delay.eastmoney.com",), gap=2.5, ban=6 * HOUR, drops_are_bans=True
        ),
        HostRule(name="eastmoney-datacenter", hosts=("datacenter-web.eastmoney.com",), gap=0.75),
        HostRule(name="sina", hosts=("sina.com.cn",)),
    ),
)
