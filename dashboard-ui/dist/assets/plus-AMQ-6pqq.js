<<<<<<<< HEAD:dashboard-ui/dist/assets/plus-D8fAd9HS.js
import{zt as e}from"./index-CBrA45Rk.js";var t={name:`plus`,size:24,node:[[`path`,{d:`M5 12h14`,key:`1ays0h`}],[`path`,{d:`M12 5v14`,key:`s699le`}]]};t.node;var n=e(t);export{n as t};
========
import{zt as e}from"./index-CniEyxRN.js";var t={name:`plus`,size:24,node:[[`path`,{d:`M5 12h14`,key:`1ays0h`}],[`path`,{d:`M12 5v14`,key:`s699le`}]]};t.node;var n=e(t);export{n as t};
>>>>>>>> 092ede7 (Tell the schemas of signals and updates before a run begins):dashboard-ui/dist/assets/plus-AMQ-6pqq.js
