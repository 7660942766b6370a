"""Oscillators of the price: where the close stands within its range, and how fast it moves."""

from mystocks_dagster.market.catalogue.definition import Definition, Parameter

_MANUAL = "通达信 formula manager"
_PRICE = "CNY per share, hfq"

KDJ = Definition(
    name="KDJ",
    title="随机指标",
    about="Smoothed position of the close within the range of a window",
    source=_MANUAL,
    formula="""\
LOWV:=LLV(LOW,N);
HIGHV:=HHV(HIGH,N);
RSV:=IF(BARSCOUNT(CLOSE)<N,DRAWNULL,IF(HIGHV=LOWV,50,(CLOSE-LOWV)/(HIGHV-LOWV)*100));
K:SMA(RSV,M1,1);
D:SMA(K,M2,1);
J:3*K-2*D;""",
    parameters=(
        Parameter("n", 9, "bars of the window"),
        Parameter("m1", 3, "bars of the average K"),
        Parameter("m2", 3, "bars of the average D"),
    ),
    outputs={"K": "k", "D": "d", "J": "j"},
    unit="0 to 100; J may leave that range",
    note="It begins when the window is full, where 通达信 begins with a shorter one; 50 where the window has no range.",
)
SKDJ = Definition(
    name="SKDJ",
    title="慢速随机指标",
    about="Slow stochastic oscillator: K smoothed twice, D its mean",
    source=_MANUAL,
    formula="""\
LOWV:=LLV(LOW,N);
HIGHV:=HHV(HIGH,N);
RSV:=EMA(IF(HIGHV=LOWV,50,(CLOSE-LOWV)/(HIGHV-LOWV)*100),M);
K:EMA(RSV,M);
D:MA(K,M);""",
    parameters=(Parameter("n", 9, "bars of the window"), Parameter("m", 3, "bars of the averages")),
    outputs={"K": "k", "D": "d"},
    unit="0 to 100",
)
LWR = Definition(
    name="LWR",
    title="LWR威廉指标",
    about="Smoothed distance of the close from the high of a window: 100 less K and D of KDJ",
    source=_MANUAL,
    formula="""\
HIGHV:=HHV(HIGH,N);
LOWV:=LLV(LOW,N);
RSV:=IF(HIGHV=LOWV,50,(HIGHV-CLOSE)/(HIGHV-LOWV)*100);
LWR1:SMA(RSV,M1,1);
LWR2:SMA(LWR1,M2,1);""",
    parameters=(
        Parameter("n", 9, "bars of the window"),
        Parameter("m1", 3, "bars of the first average"),
        Parameter("m2", 3, "bars of the second average"),
    ),
    outputs={"LWR1": "1", "LWR2": "2"},
    unit="0 to 100",
)
RSI = Definition(
    name="RSI",
    title="相对强弱指标",
    about="Smoothed rises as a percentage of smoothed moves",
    source=_MANUAL,
    formula="LC:=REF(CLOSE,1);\nRSI:SMA(MAX(CLOSE-LC,0),N,1)/SMA(ABS(CLOSE-LC),N,1)*100;",
    windows=(6, 12, 24),
    outputs={"RSI": ""},
    numbered=True,
    unit="0 to 100",
    note="It starts at the first move. TA-Lib starts with a mean of the first n moves.",
)
WR = Definition(
    name="WR",
    title="威廉指标",
    about="Distance of the close from the high of a window, in percent of the window's range",
    source=f"{_MANUAL}; MyTT WR",
    formula="WR:100*(HHV(HIGH,N)-CLOSE)/(HHV(HIGH,N)-LLV(LOW,N));",
    windows=(10, 6),
    outputs={"WR": ""},
    numbered=True,
    unit="0 to 100",
    note="通达信 has it positive. TA-Lib's WILLR is its negative.",
)
CCI = Definition(
    name="CCI",
    title="商品路径指标",
    about="Distance of the typical price from its mean, in mean deviations",
    source=f"{_MANUAL}; MyTT CCI",
    formula="TYP:=(HIGH+LOW+CLOSE)/3;\nCCI:(TYP-MA(TYP,N))*1000/(15*AVEDEV(TYP,N));",
    parameters=(Parameter("n", 14, "bars of the mean", low=2),),
    outputs={"CCI": ""},
    numbered=True,
    unit="mean deviations x 66.7",
)
BIAS = Definition(
    name="BIAS",
    title="乖离率",
    about="Distance of the close from its mean, in percent of the mean",
    source=f"{_MANUAL}; MyTT BIAS",
    formula="BIAS:(CLOSE-MA(CLOSE,N))/MA(CLOSE,N)*100;",
    windows=(6, 12, 24),
    outputs={"BIAS": ""},
    numbered=True,
    unit="percent",
)
ROC = Definition(
    name="ROC",
    title="变动率指标",
    about="Change of the close over n bars in percent, and its mean",
    source=f"{_MANUAL}; MyTT ROC",
    formula="ROC:100*(CLOSE-REF(CLOSE,N))/REF(CLOSE,N);\nMAROC:MA(ROC,M);",
    parameters=(Parameter("n", 12, "bars of the change"), Parameter("m", 6, "bars of the mean of ROC")),
    outputs={"ROC": "", "MAROC": "ma"},
    unit="percent",
    note="通达信 compares the first n bars with the first bar; here they have no value, as in MyTT and TA-Lib.",
)
MTM = Definition(
    name="MTM",
    title="动量线",
    about="Change of the close over n bars, and its mean",
    source=f"{_MANUAL}; MyTT MTM",
    formula="MTM:CLOSE-REF(CLOSE,N);\nMTMMA:MA(MTM,M);",
    parameters=(Parameter("n", 12, "bars of the change"), Parameter("m", 6, "bars of the mean of MTM")),
    outputs={"MTM": "", "MTMMA": "ma"},
    unit=_PRICE,
    note="通达信 compares the first n bars with the first bar; here they have no value, as in MyTT and TA-Lib.",
)
PSY = Definition(
    name="PSY",
    title="心理线",
    about="Share of rising bars in a window in percent, and its mean",
    source=f"{_MANUAL}; MyTT PSY",
    formula="PSY:COUNT(CLOSE>REF(CLOSE,1),N)/N*100;\nPSYMA:MA(PSY,M);",
    parameters=(Parameter("n", 12, "bars of the window"), Parameter("m", 6, "bars of the mean of PSY")),
    outputs={"PSY": "", "PSYMA": "ma"},
    unit="0 to 100",
)
OSC = Definition(
    name="OSC",
    title="变动速率线",
    about="Close less its mean, times 100, and its exponential average",
    source=_MANUAL,
    formula="OSC:100*(CLOSE-MA(CLOSE,N));\nMAOSC:EXPMEMA(OSC,M);",
    parameters=(Parameter("n", 20, "bars of the mean"), Parameter("m", 6, "bars of the average of OSC")),
    outputs={"OSC": "", "MAOSC": "ma"},
    unit="0.01 CNY per share, hfq",
)
CR = Definition(
    name="CR",
    title="带状能量线",
    about="Rises above the last bar's middle as a percentage of the falls below it, and four moved means",
    source=f"{_MANUAL}",
    formula="""\
MID:=REF(HIGH+LOW,1)/2;
CR:SUM(MAX(0,HIGH-MID),N)/SUM(MAX(0,MID-LOW),N)*100;
MA1:REF(MA(CR,M1),M1/2.5+1);
MA2:REF(MA(CR,M2),M2/2.5+1);
MA3:REF(MA(CR,M3),M3/2.5+1);
MA4:REF(MA(CR,M4),M4/2.5+1);""",
    parameters=(
        Parameter("n", 26, "bars of the sums"),
        *(Parameter(f"m{n}", bars, f"bars of mean {n}") for n, bars in enumerate((10, 20, 40, 60), 1)),
    ),
    outputs={"CR": "", **{f"MA{n}": f"ma{n}" for n in (1, 2, 3, 4)}},
    unit="percent",
)
ARBR = Definition(
    name="ARBR",
    title="情绪指标",
    about="AR: highs above the open against lows below it; BR: the same against the last close",
    source=f"{_MANUAL} (BRAR); MyTT BRAR",
    formula="""\
BR:SUM(MAX(0,HIGH-REF(CLOSE,1)),N)/SUM(MAX(0,REF(CLOSE,1)-LOW),N)*100;
AR:SUM(HIGH-OPEN,N)/SUM(OPEN-LOW,N)*100;""",
    parameters=(Parameter("n", 26, "bars of the sums"),),
    outputs={"AR": "ar", "BR": "br"},
    unit="percent",
    aliases=("BRAR",),
)
ADTM = Definition(
    name="ADTM",
    title="动态买卖气指标",
    about="Upward against downward movement of the open, and its mean",
    source=_MANUAL,
    formula="""\
DTM:=IF(OPEN<=REF(OPEN,1),0,MAX(HIGH-OPEN,OPEN-REF(OPEN,1)));
DBM:=IF(OPEN>=REF(OPEN,1),0,MAX(OPEN-LOW,OPEN-REF(OPEN,1)));
STM:=SUM(DTM,N);
SBM:=SUM(DBM,N);
ADTM:IF(STM>SBM,(STM-SBM)/STM,IF(STM=SBM,0,(STM-SBM)/SBM));
MAADTM:MA(ADTM,M);""",
    parameters=(Parameter("n", 23, "bars of the sums"), Parameter("m", 8, "bars of the mean of ADTM")),
    outputs={"ADTM": "", "MAADTM": "ma"},
    unit="-1 to 1",
)
